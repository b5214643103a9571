"""Measuring a finished run, beside the film and frame-by-frame painting.

command           `fastvid evaluate`
run               the frames of a run beside those that it is measured against
sight             how the pixels of a sphere count
figures, metrics  what is told of them, and the formulas
likeness          how much of painting and film is in a picture
"""
