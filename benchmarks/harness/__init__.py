"""What the programs of benchmarks/ share.

result          what every program writes: figures with units, date, commit, machine, settings
arguments       words of the command line that several programs understand
clips           clips that are made once and kept
emulation       a cluster on one machine: stages that sleep; recurrent models beside
point           one job of a series under mpirun, with its times, memory and messages
carry           what rank 0 carries alone
spans           who did what when, from the segments of a run file
steadiness      a style on a film, judged; drift, the same on a still over many frames
paint_ways      ways of running a network
killing         runs that are killed at random moments
"""
