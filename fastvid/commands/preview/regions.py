"""Frames of a contact sheet with regions: each style is the ground of an output."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastvid.commands.preview.frames import Picture
from fastvid.decode.film import open_source
from fastvid.decode.source import VideoSource
from fastvid.regions.opening import Usual, open_regions
from fastvid.regions.planes import Planes
from fastvid.regions.spec import Region
from fastvid.stages.regional import RegionalRepaint
from fastvid.stages.settings import PictureSettings
from fastvid.style.model import StyleModel


class RegionPainter:
    """Paints frames of a film in several styles, with the same regions in all of them.

    path: of the film. source: the film at the size of the sheet. models: of the rest of the
    picture, None for the film. Raises InputError for regions that can't be painted.
    """

    def __init__(
        self,
        path: Path,
        source: VideoSource,
        regions: Sequence[Region],
        models: Sequence[StyleModel | None],
        threads: int,
    ) -> None:
        smaller = [_at_width(region, path, source) for region in regions]
        opened = open_regions(smaller, source, 0, Usual(1.0, False))
        settings = PictureSettings(
            threads=threads, processor="", regions=tuple(one.settings for one in opened)
        )
        self.notes = [one.note for one in opened if one.note]
        self._planes = Planes([one.place for one in opened], source.info.width, source.info.height)
        in_regions = [one.model for one in opened if one.model is not None]
        self._stages = RegionalRepaint(models, in_regions, settings)

    def rows(self, chosen: Sequence[Picture]) -> list[list[np.ndarray]]:
        """The frames of each style, (H, W, 3) uint8 RGB."""
        painted = [self._stages.paint(self._planes.attach(*picture)) for picture in chosen]
        self._planes.close()
        return [list(row) for row in zip(*painted, strict=True)]


def _at_width(region: Region, path: Path, source: VideoSource) -> Region:
    """The region with its pixels, which are those of the film, in those of the sheet."""
    if not region.grow and not region.feather:
        return region
    with open_source(str(path)) as film:
        scale = source.info.width / film.info.width
    feather = None if region.feather is None else region.feather * scale
    return replace(region, grow=region.grow * scale, feather=feather)
