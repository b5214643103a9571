"""Measuring a finished run, beside the film and frame-by-frame painting.

command           `fastvid evaluate`
run               the frames of a run beside those that it is measured against
figures, metrics  what is told of them, and the formulas; `part_figures`: of parts of the picture
parts             the regions of the run, each of which is judged by itself
likeness          how much of painting and film is in a picture
"""
