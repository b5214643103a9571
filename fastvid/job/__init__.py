"""One run as rank 0 leads it: options, making ready, the run itself, gathering, progress."""
