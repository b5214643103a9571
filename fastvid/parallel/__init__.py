"""MPI: the communicator, the messages, the dealing of segments and the ranks' two roles."""
