"""A rank's threads. No message passes here.

engine            the two that compute: the heavy stages, and the temporal pass
schedule          what they do next, frame by frame; `batches` on a GPU, `recurrent` models
bands             the temporal pass, some rows at a time
task              a segment at work; `correction` of a stretch's first frames
reading, encoding side threads: own frames read, parts of the video encoded
threads           what they all are
"""
