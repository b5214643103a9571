"""What the programs of benchmarks/ share, and parts of those that are too long for one file.

result            what every program writes: figures with units, date, commit, machine, settings
arguments         words of the command line that several programs understand
clips             clips that are made once and kept
emulation         a cluster on one machine: stages that sleep; `recurrent` likewise
point             one job of a series under mpirun; `thread_times` within it
carry             what rank 0 alone carries
spans             who did what when, from the segments of a run file; `scaling_report` beside it
steadiness        a style on a film, judged; `drift` on a still over many frames
quality_summary   medians of quality.py beside their bars
networks          networks in other norms and layouts; `paint_ways` to run them, `fav_network`
killing           runs that are killed at random moments; `tally` counts what became of them
"""
