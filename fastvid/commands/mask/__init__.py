"""Making masks for the regions of a run.

command           `fastvid mask`, and the same from Python
overlay           a film with its masks on it, to judge them
notes             where there is no mask, and why
"""
