"""Measuring a finished run, beside the film and frame-by-frame painting."""
