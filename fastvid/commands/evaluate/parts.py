"""The regions of a finished run: opened as the run had them, to judge each part of the picture by
itself."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastvid.decode.source import VideoSource
from fastvid.errors import InputError
from fastvid.regions.opening import OpenedRegion, Usual, open_regions
from fastvid.regions.planes import Planes, split
from fastvid.regions.settings import RegionSettings
from fastvid.regions.spec import Region
from fastvid.regions.weights import ground_weight, region_weights

# A pixel is judged with the part that has most of it.
_MOST = 128
GROUND = "the rest"


def regions_of_run(
    run_path: Path, settings: dict[str, Any], source: VideoSource
) -> tuple[OpenedRegion, ...]:
    """The regions that a run was painted with. settings: as its run file has them.

    Raises InputError if their masks or styles are not there any more, or others.
    """
    recorded = [RegionSettings.recorded(table) for table in settings.get("regions") or ()]
    frames = settings["frames"]
    first = int(frames[0]) if frames else 0
    opened = open_regions(list(map(_as_given, recorded)), source, first, Usual(1.0, False))
    for old, new in zip(recorded, opened, strict=True):
        for what, before, now in (
            ("masks", old.mask_sha256, new.settings.mask_sha256),
            ("style", old.style_sha256, new.settings.style_sha256),
        ):
            if before != now:
                where = old.mask if what == "masks" else old.style
                raise InputError(
                    f"{where}: the {what} there are not those that {run_path} was painted with."
                )
    return opened


def _as_given(region: RegionSettings) -> Region:
    return Region(
        region.mask,
        region.style,
        region.strength,
        region.keep_colors,
        region.invert,
        region.grow,
        region.feather,
        region.refine,
    )


class FilmParts:
    """The frames of a film as they are judged: decoded once, with their masks where there are any.

    names: of the parts, the regions' in order and last the rest; empty without regions. latest: the
    last frame that was given out, with its masks behind its colours.
    """

    def __init__(self, source: VideoSource, regions: Sequence[OpenedRegion], count: int) -> None:
        self.names = [one.settings.name for one in regions]
        if self.names:
            self.names.append(GROUND)
        self.latest = np.empty((0, 0, 3), dtype=np.uint8)
        self._source = source
        self._count = count
        self._settings = [one.settings for one in regions]
        self._planes = None
        if regions:
            size = source.info.width, source.info.height
            self._planes = Planes([one.place for one in regions], *size)

    def images(self) -> Iterator[np.ndarray]:
        """The frames, (H, W, 3) uint8 RGB."""
        for frame in self._source:
            if frame.index == self._count:
                return
            image = frame.image
            self.latest = self._planes.attach(frame.index, image) if self._planes else image
            yield image

    def parts(self) -> list[np.ndarray]:
        """Where each part is in the latest frame, (H, W) bool."""
        if not self.names:
            return []
        image, masks = split(self.latest)
        weights = region_weights(image, masks, self._settings)
        height, width = image.shape[:2]
        return [part >= _MOST for part in (*weights, ground_weight(weights, (height, width)))]
