"""The ranks: who works on what, and who hands what to whom.

segments, stretches
                  the film in pieces
dealer            who gets which piece, and who hands over to whom: no MPI, no frames
coordinator       rank 0's part in a job, `sink`: where what is finished goes; `encoders`: its part
                  in shared encoding
worker            every rank's part; `boundaries`: frames handed over; `encoding_worker`; `serve`:
                  from the setup to the end
cut_search        cuts that the ranks find
setup             what a rank must know of a job, and the stages that it makes of it
messages          what the ranks tell each other; `segment_messages`; `dispatch`: who takes what
heartbeat         who is alive; `polling`: one turn of a rank's main thread; `logs`
same_input        whether all ranks see the same film
mpi/              the mailbox
engine/           the threads of a rank
"""
