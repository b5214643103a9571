"""Film out: from painted frames to the file that the user asked for.

choice, codecs    what was asked for, and the one table of what can be written
plan, output      what is written where, and its encoder; `place`: whether it may lie there
encoder           RGB frames into one part of the video; `color`, `images`
thread            rank 0's encoding beside the run
sharing, pool     parts that other ranks encode
parts             encoded packets on their way
mux               the parts and the film's other streams in one file: `track`, `stream`,
                  `side_streams`
"""
