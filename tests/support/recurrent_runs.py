"""Runs of recurrent models."""

from fastvid.stages.overlap import Overlap

# Two seams in the uncut clip of 23 frames, the last stretch of which is longer than a stretch; one
# in the last shot of the cut clip, none in its first two.
SMALL = Overlap(segment=8, warm_up=3, recompute=3, fade=2, tolerance=0.0)


# With these the pasts count as met after one or three frames, which depends on the model.
TOLERANT = Overlap(segment=7, warm_up=2, recompute=4, fade=1, tolerance=33.0)


def arguments(overlap: Overlap) -> list[str]:
    """The options of a run in stretches."""
    words = ["--pipeline", "overlap"]
    for name in ("segment", "warm_up", "recompute", "fade", "tolerance"):
        words += [f"--overlap-{name.replace('_', '-')}", str(getattr(overlap, name))]
    return words
