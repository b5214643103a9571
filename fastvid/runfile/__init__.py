"""The run file in HDF5, in which everything gathers; docs/run-file.md shows it to readers.

layout            what lies where
begin             a new file, or going on with one
writer            stores what is finished; `reserve` takes the room for it
safe_file         the open file: a kill between any two writes, or a dead node, does it no harm
journaled         what HDF5 writes, by way of the journal; `journal`: records; `patched`: to read,
                  `writeback_thread`: its way to the disk
at_exit           closes what a thread still has open when the interpreter ends
recover           puts a file in order whose writer was killed; without a journal: `mend`, `short`
reader            reads a file that may come from anybody
lock              one run at a time; `owner`: whose it is, where the file system has no locks
run_id            which run something belongs to
"""
