"""Paints the frames of spherical films: laid out before the network, gathered behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from fastvid.motion.warp import wrapped_columns
from fastvid.sphere.atlas import Atlas
from fastvid.sphere.eye import Eye
from fastvid.sphere.layout import Layout, Margins
from fastvid.sphere.projection import Sphere
from fastvid.sphere.size import painted_size_of
from fastvid.style.enlarging import enlarge
from fastvid.style.model import StyleModel
from fastvid.style.painter import FrameModel, Painter, Painting
from fastvid.style.recurrent import RecurrentModel

# Beyond the blend of band and caps less is enough than what the network sees: the outermost pixels
# are blended away there. With this share of it the ring of the blend differs by 0.04 levels on
# average, 4 at most, from one with all of it (three styles, 1024x512), and a tenth is saved.
_ALONG_SHARE = 0.3
# Maps of a frame's atlas, and copies of it on the way, bytes a pixel of the frame.
_BYTES_PER_PX = 32

M = TypeVar("M", bound=StyleModel)


@dataclass(frozen=True)
class _Canvas(Generic[M]):
    """What frames of one size become. model: paints such pictures."""

    sphere: Sphere
    eye: Eye
    atlas: Atlas
    model: M

    def lay_out(self, frame: np.ndarray) -> np.ndarray:
        """(H, W, C) uint8 of a frame to the picture of all its eyes, one upon the other."""
        eyes = [self.eye.in_true_shape(eye) for eye in self.sphere.eyes(frame)]
        return np.concatenate([self.atlas.lay_out(eye) for eye in eyes])

    def gather(self, picture: np.ndarray) -> np.ndarray:
        """The inverse of `lay_out`."""
        pictures = np.split(picture, len(picture) // self.atlas.layout.height)
        return self.sphere.joined([self.eye.in_frame(self.atlas.gather(one)) for one in pictures])


class SphereModel(Generic[M]):
    """A style model for the frames of a spherical film (see `fastvid.style.painter.FrameModel`).

    Both eyes of a frame are one picture, with one mean and variance of all features: they have the
    same colours.
    """

    def __init__(self, model: M, sphere: Sphere) -> None:
        self._model = model
        self._sphere = sphere
        self._size = (0, 0)
        self._canvas: _Canvas[M] | None = None

    def begin(self, images: Sequence[np.ndarray], batch_size: int) -> "SpherePainting[M]":
        """Begins to paint 1 to `batch_size` frames of one size. Raises InputError if the GPU's
        memory does not suffice."""
        canvas = self._canvas_of(images[0].shape[0], images[0].shape[1])
        pictures = [canvas.lay_out(image) for image in images]
        return SpherePainting(canvas, canvas.model.begin(pictures, batch_size))

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes `paint` allocates at its peak for a frame of that size (estimate)."""
        eye = Eye(*self._sphere.eye_size(height, width), self._sphere.half)
        layout = self._layout(eye)
        picture = self._model.memory_bytes(self._sphere.eye_count * layout.height, layout.width)
        return picture + height * width * _BYTES_PER_PX

    def _layout(self, eye: Eye) -> Layout:
        reach = self._model.reach
        return Layout(eye.circle, Margins(reach, round(_ALONG_SHARE * reach)))

    def _canvas_of(self, height: int, width: int) -> _Canvas[M]:
        if self._canvas is None or self._size != (height, width):
            eye = Eye(*self._sphere.eye_size(height, width), self._sphere.half)
            atlas = Atlas(self._layout(eye))
            model = self._model.weighted(np.concatenate([atlas.weights()] * self._sphere.eye_count))
            self._canvas, self._size = _Canvas(self._sphere, eye, atlas, model), (height, width)
        return self._canvas


class SphereRecurrent(SphereModel[RecurrentModel]):
    """A recurrent model for the frames of a spherical film: its past is laid out as they are."""

    def step(
        self, frame: np.ndarray, warped: np.ndarray | None, mask: np.ndarray | None
    ) -> np.ndarray:
        """As `RecurrentModel.step`; the mask is (H, W) bool."""
        if warped is None or mask is None:
            return self.begin([frame], 1).images()[0]
        canvas = self._canvas_of(*frame.shape[:2])
        levels = mask[..., None].astype(np.uint8) * np.uint8(255)
        shown = canvas.lay_out(levels)[..., 0] >= 128
        painted = canvas.model.step(canvas.lay_out(frame), canvas.lay_out(warped), shown)
        return canvas.gather(painted)


class SpherePainting(Generic[M]):
    """Frames that are being painted (see `fastvid.style.painter.Painting`)."""

    def __init__(self, canvas: _Canvas[M], pending: Painting) -> None:
        self._canvas = canvas
        self._pending = pending

    def ready(self) -> bool:
        """Whether `images` would not have to wait for a device."""
        return self._pending.ready()

    def images(self) -> list[np.ndarray]:
        """The frames, (H, W, 3) uint8 RGB each; waits for them."""
        return [self._canvas.gather(picture) for picture in self._pending.images()]


def painter_of(model: StyleModel, stroke: float, sphere: Sphere | None) -> Painter:
    """What paints the frames of a film, flat or spherical, with a model and strokes of a size."""
    if sphere is None:
        return Painter(model, stroke)
    return Painter(
        SphereModel(model, sphere),
        stroke,
        partial(painted_size_of, sphere),
        partial(_enlarged, sphere),
    )


def at_own_size(model: StyleModel, sphere: Sphere | None) -> FrameModel:
    """What paints the frames of a film at their own size, flat or spherical."""
    return model if sphere is None else SphereModel(model, sphere)


def _enlarged(
    sphere: Sphere, painting: np.ndarray, frame: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """A painting at the size of its frame (`enlarge`), each eye by itself and around the back."""
    eyes = zip(*(sphere.eyes(picture) for picture in (painting, frame, shown)), strict=True)
    return sphere.joined(
        [_enlarged_eye(ours, film, small, sphere.wraps) for ours, film, small in eyes]
    )


def _enlarged_eye(
    painting: np.ndarray, frame: np.ndarray, shown: np.ndarray, around: bool
) -> np.ndarray:
    if not around:
        return enlarge(*(np.ascontiguousarray(one) for one in (painting, frame, shown)))
    # As many degrees on each side as make whole columns at both sizes.
    margin, small = frame.shape[1] // 8, painting.shape[1] // 8
    if margin * painting.shape[1] != small * frame.shape[1]:
        margin, small = frame.shape[1], painting.shape[1]
    wide = enlarge(
        wrapped_columns(painting, small, small),
        wrapped_columns(frame, margin, margin),
        wrapped_columns(shown, small, small),
    )
    return np.ascontiguousarray(wide[:, margin:-margin])
