"""Foretelling what a job will take: costs of a frame, a simulated wavefront, a script."""
