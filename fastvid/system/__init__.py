"""The machine, and what is alike in every room.

resources         cores, memory, disks, as this process may use them; `cgroups`: its limits
allocator, priority, stopwatch
                  memory that was freed, threads that give way, time at work
files             files that are whole or not there, one message where a disk is full; `writeback`
                  sends what was written on its way to the disk
staging           a film copied to the disk of a host
log_file          a log that nobody has to wait for
job_script        what the script that has started the job is told
streams           output that does not end a run when its reader goes away
threads           a channel and a thread; `readahead`: an iterator that runs ahead in one
ending, awake     leaving a block in time whatever hangs; time without that of a suspended host
options, forms    options as fields of a dataclass, and how their values are read and written
arguments         the parser that is made of them, and how a usage error is told
version           the version of the package
"""
