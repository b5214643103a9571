"""The settings that shape the picture, as they travel to the ranks."""

from dataclasses import dataclass

from fastvid.motion.source import EstimatedMotion
from fastvid.stages.overlap import Overlap


@dataclass(frozen=True)
class PictureSettings:
    """Everything that the bytes of the stylized frames depend on, beside input and style.

    threads, processor and device are among them: sums are rounded in another order with other
    numbers of threads or vector units. device: what paints, "cpu" or the name of the GPU.
    pipeline: how recurrent models run, None for frame models. overlap: how their shots are cut
    into stretches, None where they are not. flow_sha256: of the files that flow and masks are read
    from, None where they are estimated.
    """

    flow: str
    flow_scale: float
    mask_boundaries: bool
    temporal_strength: float
    strength: float
    keep_colors: bool
    threads: int
    processor: str
    device: str = "cpu"
    pipeline: str | None = None
    overlap: Overlap | None = None
    flow_sha256: str | None = None


def estimated_motion(settings: PictureSettings) -> EstimatedMotion:
    """Flow and masks as the settings say."""
    return EstimatedMotion(settings.flow, settings.flow_scale, settings.mask_boundaries)
