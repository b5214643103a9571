"""The mailbox of a rank: every MPI call, messages, bells, signals, launch."""
