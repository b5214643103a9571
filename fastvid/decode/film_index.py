"""What a rank needs to read any frame of a film by itself, in a form that can be sent to it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from av.video.frame import VideoFrame

from fastvid.decode.colors import source_color
from fastvid.decode.entry_points import EntryPoints


@dataclass(frozen=True)
class PictureForm:
    """How the pictures of a film become frames, settled by its first one.

    width, height: of the frames. turn: filters that stand a picture upright. peak_nits: brightest
    light of HDR, None: not HDR. look: what `picture_look` says of the first picture. chroma: where
    colour stands that is stored for two pixels, `left` or `center`.
    """

    width: int
    height: int
    turn: str
    peak_nits: float | None
    look: str
    chroma: str = "left"


@dataclass(frozen=True)
class FilmIndex:
    """A video file.

    path: absolute. file_bytes: its size. form: of its pictures. first, stop: the chosen part,
    numbers in the file. times: (N,) int64, when each frame of the file is shown, in the stream's
    time base, strictly increasing. entries: where decoding may begin.
    """

    path: str
    file_bytes: int
    form: PictureForm
    first: int
    stop: int
    times: np.ndarray
    entries: EntryPoints


@dataclass(frozen=True)
class FolderIndex:
    """A folder of numbered images.

    path: absolute. form: of its images. names: of the images of the chosen part, in order.
    """

    path: str
    form: PictureForm
    names: tuple[str, ...]


SourceIndex = FilmIndex | FolderIndex


def picture_look(picture: VideoFrame) -> str:
    """Size, pixel format and colour of a decoded picture, as text to be compared."""
    return f"{picture.width}x{picture.height} {picture.format.name} {source_color(picture)}"


def index_arrays(index: SourceIndex) -> list[np.ndarray]:
    """The index as arrays for a message."""
    tables: list[np.ndarray] = []
    if isinstance(index, FilmIndex):
        entries = index.entries
        tables = [index.times, np.stack([entries.frames, entries.pts, entries.size])]
        index = replace(index, times=_NOTHING, entries=EntryPoints(*[_NOTHING] * 3))
        facts = asdict(index)
        del facts["times"], facts["entries"]
    else:
        facts = asdict(index)
    return [np.frombuffer(json.dumps(facts).encode("utf-8"), dtype=np.uint8), *tables]


def index_from_arrays(arrays: Sequence[np.ndarray]) -> SourceIndex:
    """The inverse of `index_arrays`."""
    facts = json.loads(arrays[0].tobytes())
    form = PictureForm(**facts.pop("form"))
    if len(arrays) == 1:
        return FolderIndex(facts["path"], form, tuple(facts["names"]))
    return FilmIndex(form=form, times=arrays[1], entries=EntryPoints(*arrays[2]), **facts)


_NOTHING = np.zeros(0, np.int64)
