"""What painting takes of a rank's memory."""

from collections.abc import Sequence

from fastvid.decode.frame import VideoInfo
from fastvid.sphere.painting import painter_of
from fastvid.sphere.projection import Sphere
from fastvid.style.model import StyleModel
from fastvid.style.scale import stroke_at_own_size


def paint_bytes_of(
    models: Sequence[StyleModel],
    stroke: float,
    info: VideoInfo,
    sphere: Sphere | None,
    recurrent: bool,
) -> int:
    """What painting takes of a rank's memory at its peak; 0 without models."""
    if recurrent:
        # Recurrent models paint frames at their own size.
        stroke = stroke_at_own_size(info.height, info.width)
    painters = [painter_of(model, stroke, sphere) for model in models]
    most = max((one.memory_bytes(info.height, info.width) for one in painters), default=0)
    # It may be painting in both threads of a rank: a shot's first frame in one.
    return 2 * most if recurrent else most
