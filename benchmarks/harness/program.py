"""The program as it is, but with parts so short that a short clip has several.

python program.py PART_FRAMES ARGUMENTS
"""

import functools
import sys

import fastvid.job.run
from fastvid.__main__ import run
from fastvid.job.run import run_job
from fastvid.job.steps import Tuning

if __name__ == "__main__":
    tuning = Tuning(part_frames=int(sys.argv.pop(1)))
    fastvid.job.run.run_job = functools.partial(run_job, tuning=tuning)
    run()
