"""The commands that one process runs: styles, encode, evaluate, clip."""
ADD_ARGUMENTS: dict = {}
RUN: dict = {}
