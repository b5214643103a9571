"""The run file in HDF5, in which everything gathers; docs/run-file.md shows it to readers.

layout            what lies where
begin             a new file, or going on with one
writer            stores what is finished, so that a kill at any moment loses little; `reserve`
mend              the end of a file whose writer was killed
reader            reads a file that may come from anybody
lock              one run at a time
"""
