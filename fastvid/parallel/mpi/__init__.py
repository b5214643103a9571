"""The mailbox of a rank.

transport         every raw MPI call
communicator      the mailbox: sends and polls, never waits in MPI
message           kinds, and bodies that become numbers and arrays
meeting, peer     who is there, and where
bell, waiting     how a rank sleeps, and what wakes it; `network`: from another host
stopping          signals and deadlines
launch, lifetime  how it was started; the beginning and end of MPI
"""
