"""What shapes the picture: the options that do, as they travel to the ranks and into a run file."""

from dataclasses import dataclass, replace

from fastvid.decode.sphere_tags import MONO
from fastvid.motion.flow import DEFAULT_FLOW_METHOD, FLOW_METHODS
from fastvid.motion.source import EstimatedMotion, MotionSource
from fastvid.regions.settings import RegionSettings
from fastvid.sphere.motion import SphereMotion
from fastvid.sphere.projection import FLAT, Sphere
from fastvid.stages.eyes import EyeToEye
from fastvid.stages.overlap import Overlap
from fastvid.stages.temporal import DEFAULT_STRENGTH, MAX_STRENGTH
from fastvid.style.precision import FULL, PRECISIONS
from fastvid.style.scale import MAX_STROKE, MIN_STROKE
from fastvid.system.options import option, within

PICTURE = "the picture"


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """The options that shape the picture. What is added here is on the command line, reaches every
    rank in `PictureSettings`, and must be the same for a run to be continued."""

    strength: float = option(
        1.0,
        "mixes the painting with the film (default: {default})",
        group=PICTURE,
        metavar="0..1",
        check=within(0, 1),
        only_for="frame",
        why="it continues its own pictures, not mixtures with the film",
    )
    stroke: float = option(
        1.0,
        "size of the strokes; 1 is as the painting was meant, on films of all sizes "
        "(default: {default})",
        group=PICTURE,
        metavar=f"{MIN_STROKE:g}..{MAX_STROKE:g}",
        check=within(MIN_STROKE, MAX_STROKE),
        only_for="frame",
        why="it is shown its own pictures, which are of the film's size",
    )
    precision: str = option(
        FULL,
        "fast: paints in bfloat16 on CPUs, faster where the processor has it; other bytes "
        "(default: {default})",
        group=PICTURE,
        choices=PRECISIONS,
    )
    keep_colors: bool = option(
        False,
        "paints the luminance only; the film keeps its colours",
        group=PICTURE,
        only_for="frame",
        why="it continues its own pictures, with the colours it gave them",
    )
    temporal_strength: float = option(
        DEFAULT_STRENGTH,
        "how much of the frame before is kept where it can be trusted; 0 paints frame by frame "
        "(default: {default})",
        group=PICTURE,
        metavar=f"0..{MAX_STRENGTH}",
        check=within(
            0,
            MAX_STRENGTH,
            f": 0 paints frame by frame, {DEFAULT_STRENGTH} is the default, and more than "
            f"{MAX_STRENGTH} would never forget a mistake",
        ),
        only_for="frame",
        why="the network itself keeps the picture steady",
    )
    flow: str = option(
        DEFAULT_FLOW_METHOD,
        "optical flow method (default: {default})",
        group=PICTURE,
        choices=FLOW_METHODS,
    )
    flow_scale: float = option(
        1.0,
        "computes the flow at this share of the size (default: {default})",
        group=PICTURE,
        metavar="S",
        check=within(0, 1, "; 0.5 is half size", above=True),
    )
    mask_boundaries: bool = option(
        False,
        "counts motion boundaries as unreliable, as the 2016 tool did",
        group=PICTURE,
    )

    @property
    def estimates_otherwise(self) -> bool:
        """Whether flow and masks are to be estimated in another way than by default."""
        return (self.flow, self.flow_scale, self.mask_boundaries) != (
            DEFAULT_FLOW_METHOD,
            1.0,
            False,
        )


@dataclass(frozen=True, kw_only=True)
class PictureSettings(PictureOptions):
    """Everything that the bytes of the stylized frames depend on, beside input and style.

    threads, processor and device are among them: sums are rounded in another order with other
    numbers of threads or vector units. device: what paints, "cpu" or the name of the GPU.
    pipeline: how recurrent models run, None for frame models. overlap: how their shots are cut
    into stretches, None where they are not. flow_sha256: of the files that flow and masks are read
    from, None where they are estimated. regions: parts that are painted in their own way.
    masking: of a run that makes masks, what makes them: "seeds", or "network" and the size of the
    picture that it takes, as in "network 256x144". projection, stereo: what the frames were taken
    for, `flat` or a `Sphere`.
    """

    threads: int
    processor: str
    device: str = "cpu"
    pipeline: str | None = None
    overlap: Overlap | None = None
    flow_sha256: str | None = None
    regions: tuple[RegionSettings, ...] = ()
    masking: str | None = None
    projection: str = FLAT
    stereo: str = MONO

    @property
    def sphere(self) -> Sphere | None:
        """What the frames show of a sphere; None for flat pictures."""
        return None if self.projection == FLAT else Sphere(self.projection, self.stereo)


def estimated_motion(settings: PictureSettings) -> MotionSource:
    """Flow and masks as the settings say."""
    estimated = EstimatedMotion(settings.flow, settings.flow_scale, settings.mask_boundaries)
    return estimated if settings.sphere is None else SphereMotion(settings.sphere, estimated)


def eye_to_eye(settings: PictureSettings, kept_frames: int = 0) -> EyeToEye | None:
    """What makes the eyes agree as the settings say; None where there is one eye, or where each
    picture is to be painted on its own. kept_frames: see `EyeToEye`."""
    if settings.sphere is None or settings.stereo == MONO or settings.temporal_strength == 0:
        return None
    motion = estimated_motion(replace(settings, stereo=MONO))
    return EyeToEye(settings.sphere, motion, settings.temporal_strength, kept_frames)
