"""Frames of a contact sheet with regions: each style is the ground of an output."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastvid.commands.preview.frames import Picture
from fastvid.decode.source import VideoSource
from fastvid.regions.opening import Usual, open_regions
from fastvid.regions.planes import Planes
from fastvid.regions.spec import Region
from fastvid.stages.regional import RegionalRepaint
from fastvid.stages.settings import PictureSettings
from fastvid.style.model import StyleModel


class RegionPainter:
    """Paints frames of a film in several styles, with the same regions in all of them.

    source: the film. models: of the rest of the picture, None for the film. size: of the frames,
    (height, width), of which the film's may be a multiple. stroke: of frames of that size.
    Raises InputError for regions that can't be painted.
    """

    def __init__(
        self,
        source: VideoSource,
        regions: Sequence[Region],
        models: Sequence[StyleModel | None],
        size: tuple[int, int],
        stroke: float,
        threads: int,
    ) -> None:
        opened = open_regions(regions, source, 0, Usual(1.0, False))
        height, width = size
        # Pixels are the film's.
        scale = width / source.info.width
        settled = [
            replace(
                one.settings, grow=one.settings.grow * scale, feather=one.settings.feather * scale
            )
            for one in opened
        ]
        settings = PictureSettings(
            stroke=stroke, threads=threads, processor="", regions=tuple(settled)
        )
        self.notes = [one.note for one in opened if one.note]
        self._planes = Planes([one.place for one in opened], width, height)
        in_regions = [one.model for one in opened if one.model is not None]
        self._stages = RegionalRepaint(models, in_regions, settings)

    def rows(self, chosen: Sequence[Picture]) -> list[list[np.ndarray]]:
        """The frames of each style, (H, W, 3) uint8 RGB."""
        painted = [self._stages.paint(self._planes.attach(*picture)) for picture in chosen]
        self._planes.close()
        return [list(row) for row in zip(*painted, strict=True)]
