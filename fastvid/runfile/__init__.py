"""The run file in HDF5, in which everything gathers; docs/run-file.md shows it to readers.

layout            what lies where
begin             a new file, or going on with one
writer            stores what is finished, so that a kill at any moment loses little; `reserve`
safe_file         an open file that is written to: `journaled`, `journal`
recover           puts a file in order whose writer was killed; `mend`: one without a journal
reader            reads a file that may come from anybody; `patched`: as its journal has it
lock, owner       one run at a time; `run_id`: which run something belongs to
"""
