"""Optical flow, warping and consistency masks."""
