"""What can be asked for.

cli               which command is meant; stylize, styles, convert, encode, export_flow, status,
                  train, and in folders plan, preview, evaluate, clip, mask: one face each
api               the same from Python
serve             what the other ranks do meanwhile, however they were started; `together`: a call
                  from Python ends on all ranks alike
"""
