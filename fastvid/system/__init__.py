"""The machine, and what is alike in every room.

resources         cores, memory, disks, as this process may use them
allocator, priority, stopwatch
                  memory that was freed, threads that give way, time at work
files             files that are whole or not there, one message where a disk is full
threads           a channel and a thread; `readahead`: an iterator that runs ahead in one
options, forms    options as fields of a dataclass, and how their values are read and written
arguments         the parser that is made of them, and how a usage error is told
version           the version of the package
"""
