"""What a rank needs to know to take part in a job, and the stages that it makes of it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastvid.masking.seeds import SEEDS, SeedPlanes
from fastvid.parallel.mpi.message import Content
from fastvid.regions.planes import FramePlanes, MaskPlace, Planes
from fastvid.regions.settings import RegionSettings
from fastvid.stages.interface import Stages
from fastvid.stages.overlap import Overlap
from fastvid.stages.settings import PictureSettings


@dataclass(frozen=True)
class JobSetup:
    """What a rank needs to know to take part in a job; travels from rank 0, with the styles.

    style_names, styles: names and checkpoints. first_frame_model: the checkpoint that paints the
    first frame of each shot, empty where the styles do. local_rank: the number of the rank among
    those of its host, which each fills in for itself. flow_dir: where flow and masks are read from,
    None where they are estimated. first_frame: where the run begins in the film. region_styles: the
    checkpoint of each region in the settings, empty for the film, as in `styles`. masks: where the
    masks of the regions are read; size: of the frames, (width, height). stage_to: the folder to
    which a host's ranks copy the input if they read it, None where they read it as it is.
    """

    settings: PictureSettings
    style_names: tuple[str, ...]
    styles: tuple[bytes, ...]
    lookahead: int
    keep: tuple[str, ...]
    rank_timeout_s: float
    log_dir: str | None = None
    log_level: str = "INFO"
    local_rank: int = 0
    first_frame_model: bytes = b""
    flow_dir: str | None = None
    first_frame: int = 0
    region_styles: tuple[bytes, ...] = ()
    masks: tuple[MaskPlace, ...] = ()
    size: tuple[int, int] = (0, 0)
    stage_to: str | None = None

    def planes(self) -> FramePlanes | None:
        """What reads the masks of the regions, or has the seeds of masks to be made; None without
        any."""
        if self.settings.masking == SEEDS:
            return SeedPlanes(self.styles[0])
        return Planes(self.masks, *self.size) if self.masks else None

    def arrays(self) -> list[np.ndarray]:
        """As the arrays of a SETUP message."""
        facts = asdict(self)
        first, styles = facts.pop("first_frame_model"), facts.pop("styles")
        styles += facts.pop("region_styles")
        texts = json.dumps(facts).encode("utf-8")
        return [np.frombuffer(data, dtype=np.uint8) for data in (texts, first, *styles)]

    @classmethod
    def from_message(cls, message: Content) -> "JobSetup":
        """From a SETUP message."""
        facts = json.loads(message.text(0))
        settings = facts["settings"]
        settings["overlap"] = Overlap(**settings["overlap"]) if settings["overlap"] else None
        settings["regions"] = tuple(map(RegionSettings.recorded, settings["regions"]))
        facts["settings"] = PictureSettings(**settings)
        facts["masks"] = tuple(MaskPlace(**place) for place in facts["masks"])
        for name in ("style_names", "keep", "size"):
            facts[name] = tuple(facts[name])
        first, *data = (array.tobytes() for array in message.arrays[1:])
        count = len(facts["style_names"])
        return cls(
            **facts,
            styles=tuple(data[:count]),
            first_frame_model=first,
            region_styles=tuple(data[count:]),
        )


# Benchmarks put sleeping stages in the place of the real ones.
StageFactory = Callable[[JobSetup], Stages[Any]]


def real_stages(setup: JobSetup) -> Stages[Any]:
    """The stages that paint. Raises InputError for a style that can't be loaded, or if this rank
    lacks the GPU that the run paints on."""
    # torch takes two seconds to import: only a rank that has a job pays for it.
    from fastvid.masking.stages import mask_stages
    from fastvid.motion.source import FiledMotion
    from fastvid.stages.choice import choose_stages
    from fastvid.style.device import GPU_BATCH_SIZE, rank_device
    from fastvid.style.loading import load_frame_model, load_model

    source = FiledMotion(setup.flow_dir, setup.first_frame) if setup.flow_dir else None
    if setup.settings.masking:
        return mask_stages(setup.style_names[0], setup.styles[0], setup.settings, source)
    precision = setup.settings.precision
    device = rank_device(setup.settings.device, setup.local_rank)
    # The film, which nothing paints, has no bytes.
    styles = [
        load_model(data, name).move_to(device, precision) if data else None
        for name, data in zip(setup.style_names, setup.styles, strict=True)
    ]
    painting = dict.fromkeys(data for data in setup.region_styles if data)
    in_regions = [
        load_frame_model(data, "--region").move_to(device, precision) for data in painting
    ]
    first = None
    if setup.first_frame_model:
        first = load_frame_model(setup.first_frame_model, "--first-frame-model")
        first.move_to(device, precision)
    batch_size = 1 if device.type == "cpu" else GPU_BATCH_SIZE
    return choose_stages(styles, setup.settings, setup.keep, batch_size, first, source, in_regions)
