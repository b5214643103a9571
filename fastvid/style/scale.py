"""The size at which a frame is painted, so that strokes keep their size relative to the picture.

A network paints strokes of some pixels, whatever is shown to it: on a large frame they would be too
small to be seen. So a large frame is painted small and then brought up (`enlarging`).
"""

# The bottleneck's reflections need a few features; a smaller frame is mirrored to this size.
MIN_SIDE = 48
# The shorter side of a frame at which the networks paint as they were meant to: the usual size of
# small films, so that these and all larger ones have strokes of one size. Looked at on films of
# 1080 lines: painted at 432 or 540 they keep a little more of the film and less of the strokes.
REFERENCE_SIDE_PX = 360
# A frame that is larger by less than this is painted as it is: to resample it would cost more
# sharpness than the strokes would gain.
_NEARLY = 1.15
MIN_STROKE, MAX_STROKE = 0.5, 4.0


def painted_size(height: int, width: int, stroke: float) -> tuple[int, int]:
    """(height, width) at which a frame of height x width pixels is painted.

    stroke: the size of the strokes, 1 as the painting was meant. Frames up to the reference are
    painted as they are with 1; with 2 they are painted at half their size, with 0.5 at twice.
    """
    side = min(height, width)
    shrinking = stroke * _usual_shrinking(side)
    # Not smaller than what a network needs, unless the frame is.
    shrinking = min(shrinking, max(1.0, side / MIN_SIDE))
    return max(1, round(height / shrinking)), max(1, round(width / shrinking))


def stroke_at_own_size(height: int, width: int) -> float:
    """The stroke with which a frame of height x width pixels is painted as it is."""
    return 1 / _usual_shrinking(min(height, width))


def _usual_shrinking(side: int) -> float:
    """How much smaller than itself a frame with this shorter side is painted with stroke 1."""
    shrinking = side / REFERENCE_SIDE_PX
    return shrinking if shrinking > _NEARLY else 1.0
