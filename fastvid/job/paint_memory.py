"""What painting takes of a rank's memory."""

from collections.abc import Sequence

from fastvid.decode.frame import VideoInfo
from fastvid.sphere.painting import at_own_size, painter_of
from fastvid.sphere.projection import Sphere
from fastvid.style.model import StyleModel


def paint_bytes_of(
    models: Sequence[StyleModel],
    stroke: float,
    info: VideoInfo,
    sphere: Sphere | None,
    recurrent: bool,
) -> int:
    """What painting takes of a rank's memory at its peak; 0 without models."""
    painters = [
        at_own_size(model, sphere) if recurrent else painter_of(model, stroke, sphere)
        for model in models
    ]
    most = max((one.memory_bytes(info.height, info.width) for one in painters), default=0)
    # It may be painting in both threads of a rank: a shot's first frame in one.
    return 2 * most if recurrent else most
