"""The machine, and what is alike in every room.

resources         cores, memory, disks, as this process may use them
allocator, priority, clock
                  memory that was freed, threads that give way, time at work
files, storage    files that are whole or not there, one message where a disk is full
readahead         an iterator that runs ahead in a thread
arguments         how a usage error is told
version           the version of the package
"""
