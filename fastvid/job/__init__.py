"""One run as rank 0 leads it.

options           what can be set for a run, each option declared once; `job_options`
opening, prepare  a job that is open and checked; its run files; `identity`,
                  `ownership`: what belongs to one run alone; `estimate`, `paint_memory`: what it
                  takes; `film_sphere`: what the film shows
run, steps        the run itself, in the order of events; `lead`: rank 0's loop
decoding          who decodes, and the frames with their cuts
gather            stores what is finished and feeds the encoders: `backlog`, `output_feed`
load              whether rank 0 has time to compute and to encode; `tuning`, for tests
masking           a job that makes masks
outputs, result   the videos put together, and what came of the job; `progress`, `showing`
"""
