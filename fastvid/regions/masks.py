"""Masks by number, from a folder of numbered images, a video, or one image for all frames."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from fastvid.decode.container import best_video_stream, decoding_context, open_container, reason
from fastvid.decode.entry_points import NotSeekable
from fastvid.decode.film import open_source
from fastvid.decode.film_index import FilmIndex, picture_look
from fastvid.decode.images import IMAGE_ENDINGS, list_images, read_image
from fastvid.decode.random_access import FilmReader
from fastvid.decode.watch import Watch
from fastvid.errors import InputError, OrderNeeded
from fastvid.regions.pictures import choose_reader, labels_in

# The one decoder that gives the alpha of VP8 and VP9 in WebM or Matroska.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


class Masks(Protocol):
    """The masks of one region.

    count: how many there are, None for one image that stands for all frames. size: (width, height)
    of the first one. times: when each is shown, seconds from the first; None where masks have none.
    Raises InputError, as calls do, for what can't be read or is no mask.
    """

    count: int | None
    size: tuple[int, int]
    times: np.ndarray | None

    def read(self, number: int) -> np.ndarray:
        """Mask `number`, (h, w) uint8: 0 outside, 255 inside."""

    def labels(self, number: int) -> set[int]:
        """The labels in mask `number`."""

    def name(self, number: int) -> str:
        """What messages call mask `number`."""

    def close(self) -> None:
        """Releases what is open."""


def open_masks(path: str, selector: str) -> Masks:
    """The masks in a folder, a video or an image. selector: a label, a colour, or empty.

    Raises InputError if there are none that can be read.
    """
    if os.path.isdir(path):
        return ImageMasks([os.path.join(path, name) for name in list_images(path).names], selector)
    if os.path.splitext(path)[1].lower() in IMAGE_ENDINGS:
        if not os.path.isfile(path):
            raise InputError(f"{path}: there is no such file, or folder of masks.")
        return ImageMasks([path], selector, for_all=True)
    if not os.path.exists(path):
        raise InputError(f"{path}: there is no such file, or folder of masks.")
    return FilmMasks(path, selector)


class ImageMasks:
    """Masks in image files. for_all: one image stands for all frames."""

    def __init__(self, paths: list[str], selector: str, for_all: bool = False) -> None:
        self._paths = paths
        self._watches = [Watch(path) for path in paths]
        first = read_image(paths[0])
        self._reader = choose_reader(first, selector)
        self._kept = self._reader(first, paths[0]) if for_all else None
        self.count = None if for_all else len(paths)
        self.size = first.width, first.height
        self.times: np.ndarray | None = None

    def read(self, number: int) -> np.ndarray:
        """See Masks."""
        if self._kept is not None:
            return self._kept
        return self._reader(self._picture(number), self._paths[number])

    def labels(self, number: int) -> set[int]:
        """See Masks."""
        return labels_in(self._picture(number), self.name(number))

    def name(self, number: int) -> str:
        """See Masks."""
        return self._paths[0 if self.count is None else number]

    def close(self) -> None:
        """See Masks."""

    def _picture(self, number: int) -> VideoFrame:
        number = 0 if self.count is None else number
        self._watches[number].check()
        picture = read_image(self._paths[number])
        if (picture.width, picture.height) != self.size:
            raise InputError(
                f"{self._paths[number]}: has {picture.width}x{picture.height} pixels, the first "
                f"mask has {self.size[0]}x{self.size[1]}."
            )
        return picture


class FilmMasks:
    """Masks in a video, read by the packets in the file, so that every rank reads the same."""

    def __init__(self, path: str, selector: str) -> None:
        index, self._decoder, time_base = _index_of(path)
        first = _first_picture(path, self._decoder)
        if self._decoder and not any(part.is_alpha for part in first.format.components):
            raise InputError(
                f"{path}: its alpha can't be decoded here. Give the masks as PNGs, or as ProRes "
                "4444."
            )
        self._index = replace(index, form=replace(index.form, look=picture_look(first)))
        self._path = path
        self._read_picture = choose_reader(first, selector)
        self._masks = FilmReader(self._index, self._mask, self._decoder)
        self.count: int | None = len(index.times)
        # As players show it, where its pixels are not square.
        self.size = index.form.width, index.form.height
        self.times: np.ndarray | None = (index.times - index.times[0]) * float(time_base)

    def read(self, number: int) -> np.ndarray:
        """See Masks."""
        return self._through(self._masks, number)

    def labels(self, number: int) -> set[int]:
        """See Masks."""
        raw = FilmReader(self._index, self._labels, self._decoder)
        with closing(raw):
            return set(self._through(raw, number).tolist())

    def name(self, number: int) -> str:
        """See Masks."""
        return f"{self._path}, frame {number}"

    def close(self) -> None:
        """See Masks."""
        self._masks.close()

    def _through(self, reader: FilmReader, number: int) -> np.ndarray:
        try:
            return reader.read(number, number + 1)[0]
        except OrderNeeded as error:
            # Of a film another way is tried then; of masks there is none.
            why = str(error).splitlines()[0]
            raise InputError(f"{why} Give these masks as a folder of PNGs.") from error

    def _mask(self, picture: VideoFrame) -> np.ndarray:
        return self._read_picture(picture, self._path)

    def _labels(self, picture: VideoFrame) -> np.ndarray:
        return np.array(sorted(labels_in(picture, self._path)))


def _index_of(path: str) -> tuple[FilmIndex, str, Fraction]:
    """The index of a video of masks, the decoder that it takes, empty for the usual one, and its
    time base, seconds."""
    with open_source(path) as source:
        try:
            index, time_base = source.index(), source.info.time_base
        except NotSeekable as error:
            raise InputError(
                f"{path}: can't serve as masks: {error}. Give them as a folder of PNGs."
            ) from error
    assert isinstance(index, FilmIndex)
    if index.form.turn:
        raise InputError(
            f"{path}: is a turned video, which masks can't be. Give them as a folder of PNGs."
        )
    with open_container(path) as container:
        stream = best_video_stream(container, path)
        codec = stream.codec_context.name
        with_alpha = stream.metadata.get("alpha_mode") == "1"
    if not (with_alpha and codec in _ALPHA_DECODERS):
        return index, "", time_base
    decoder = _ALPHA_DECODERS[codec]
    if decoder not in av.codecs_available:
        raise InputError(
            f"{path}: has alpha in {codec.upper()}, which takes the decoder {decoder}, and this "
            "FFmpeg has none. Give the masks as PNGs, or as ProRes 4444."
        )
    return index, decoder, time_base


def _first_picture(path: str, decoder: str) -> VideoFrame:
    with open_container(path) as container:
        for picture in _pictures(container, path, decoder):
            return picture
    raise InputError(f"{path}: has no picture in it.")


def _pictures(container: InputContainer, path: str, decoder: str) -> Iterator[VideoFrame]:
    stream = best_video_stream(container, path)
    context = decoding_context(stream, decoder)
    try:
        for packet in container.demux(stream):
            yield from context.decode(packet if packet.size else None)
    except av.FFmpegError as error:
        raise InputError(f"{path}: can't be decoded ({reason(error)}).") from error
