"""Reads any frames of a film by themselves, with the same bytes as `open_source` gives them.

What can't be read exactly is refused, never guessed: then the film must be decoded in order.
"""

import os
from collections.abc import Callable, Iterator
from typing import Protocol

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fastvid.decode.colors import source_color
from fastvid.decode.container import best_video_stream, decoding_context, open_container, reason
from fastvid.decode.entry_points import EntryPoints
from fastvid.decode.film_index import FilmIndex, FolderIndex, SourceIndex, picture_look
from fastvid.decode.filters import RgbConverter
from fastvid.decode.images import ImageConverter
from fastvid.decode.watch import Watch
from fastvid.errors import OrderNeeded

# Seeking takes about as long as decoding so many frames (docs/performance.md): with an entry point
# that near, reading on is cheaper.
SEEK_COST_FRAMES = 4
WAY_OUT = "--decode rank0 decodes the film in order and goes on with the same run file."
# A row is summed as words of 8 bytes.
_WORD_BYTES = 8


class FrameReader(Protocol):
    """Frames by number, counted within the chosen part."""

    def read(self, start: int, stop: int) -> list[np.ndarray]:
        """The frames [start, stop), each (H, W, 3) uint8 RGB.

        Raises OrderNeeded where they can't be read exactly, InputError if the input was changed.
        """

    def close(self) -> None:
        """Releases what is open."""


def open_reader(index: SourceIndex) -> FrameReader:
    """A reader for what `VideoSource.index` has described. Raises InputError if it is not there."""
    return FilmReader(index) if isinstance(index, FilmIndex) else FolderReader(index)


def checksum(image: np.ndarray) -> int:
    """A sum over an image that tells different decodings apart; fits an int64.

    The words of each row are added up, and the rows weighted by odd numbers, modulo 2^64: made to
    be cheap, and no proof against intent.
    """
    rows = np.ascontiguousarray(image).reshape(len(image), -1)
    whole = rows.shape[1] // _WORD_BYTES * _WORD_BYTES
    sums = rows[:, :whole].view(np.uint64).sum(axis=1, dtype=np.uint64)
    sums += rows[:, whole:].sum(axis=1, dtype=np.uint64)
    weights = 2 * np.arange(len(rows), dtype=np.uint64) + 1
    return int((sums * weights).sum(dtype=np.uint64, keepdims=True).view(np.int64)[0])


def entry_to_seek(entries: EntryPoints, position: int | None, wanted: int) -> int | None:
    """From which entry point to decode frame `wanted`; None: by reading on.

    position: the frame that comes next without seeking, None if there is none.
    """
    entry = entries.before(wanted)
    if position is None or position > wanted:
        return entry
    return None if int(entries.frames[entry]) <= position + SEEK_COST_FRAMES else entry


class FilmReader:
    """The frames of a video file. Holds a decoder and one frame; not for two threads at once.

    It reads on where that is cheaper than seeking, so that frames are best asked for in order.
    convert: what becomes of a decoded picture; None: a frame as `open_source` gives it. decoder:
    the name of another than the usual one.
    """

    def __init__(
        self,
        index: FilmIndex,
        convert: Callable[[VideoFrame], np.ndarray] | None = None,
        decoder: str = "",
    ) -> None:
        self._index = index
        self._watch = Watch(index.path)
        form = index.form
        self._convert = convert or RgbConverter(
            form.width, form.height, form.turn, form.peak_nits, form.chroma
        )
        self._decoder = decoder
        self._opened: tuple[InputContainer, VideoStream] | None = None
        self._pictures: Iterator[VideoFrame] | None = None
        # The picture that comes next, by its number in the file.
        self._position: int | None = None
        self._last: tuple[int, np.ndarray] | None = None
        # How many pictures were decoded so far, those on the way to the wanted ones too.
        self.pictures_decoded = 0

    def read(self, start: int, stop: int) -> list[np.ndarray]:
        """See FrameReader."""
        self._watch.check()
        first, end = start + self._index.first, stop + self._index.first
        if not 0 <= start < stop or end > self._index.stop:
            raise ValueError(f"there are no frames {start} to {stop - 1} in this film")
        images = []
        if self._last is not None and self._last[0] == first:
            images.append(self._last[1])
        images += [self._image(wanted) for wanted in range(first + len(images), end)]
        self._last = end - 1, images[-1]
        return images

    def close(self) -> None:
        """See FrameReader."""
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def _image(self, wanted: int) -> np.ndarray:
        entry = entry_to_seek(self._index.entries, self._position, wanted)
        if entry is not None:
            self._pictures = self._pictures_from(entry)
            self._position = int(self._index.entries.frames[entry])
        assert self._pictures is not None and self._position is not None
        while True:
            number = self._position
            self._position = None  # an error leaves nothing to read on from
            picture = next(self._pictures, None)
            if picture is None:
                raise self._refusal(number, "the file ends before it")
            self.pictures_decoded += 1
            self._position = number + 1
            if number == wanted:
                return self._converted(number, picture)

    def _converted(self, number: int, picture: VideoFrame) -> np.ndarray:
        look = picture_look(picture)
        if look != self._index.form.look:
            raise self._refusal(number, f"it has {look}, the first has {self._index.form.look}")
        if picture.interlaced_frame:
            raise self._refusal(number, "it is interlaced: it is made from its neighbours too")
        return self._convert(picture)

    def _pictures_from(self, entry: int) -> Iterator[VideoFrame]:
        """Every picture from an entry point on, each checked to be the one that must come next."""
        frames, times = self._index.entries.frames, self._index.times
        number = int(frames[entry])
        try:
            for picture in self._decoded(entry):
                if picture.pts is not None and picture.pts < times[0]:
                    continue
                if number == len(times) or picture.pts != times[number]:
                    raise self._refusal(
                        number,
                        "the decoder skips it"
                        if number < len(times)
                        else "there are more frames than packets",
                    )
                if picture.is_corrupt:
                    raise self._refusal(number, "the decoder reports damage")
                yield picture
                number += 1
        except av.FFmpegError as error:
            raise self._refusal(number, reason(error)) from error

    def _decoded(self, entry: int) -> Iterator[VideoFrame]:
        container, stream = self._open(afresh=entry == 0)
        context = decoding_context(stream, self._decoder)
        for packet in self._packets_from(container, stream, entry):
            if packet.is_corrupt:
                raise self._refusal(int(self._index.entries.frames[entry]), "a packet is damaged")
            yield from context.decode(packet)
        try:
            yield from context.decode(None)
        except av.EOFError:
            return

    def _open(self, afresh: bool) -> tuple[InputContainer, VideoStream]:
        if afresh or self._opened is None:
            self.close()
            container = open_container(self._index.path)
            stream = best_video_stream(container, self._index.path)
            context = stream.codec_context
            # Without it damage is patched up from whatever pictures were decoded before.
            context.options = {**context.options, "err_detect": "explode"}
            self._opened = container, stream
        return self._opened

    def _packets_from(
        self, container: InputContainer, stream: VideoStream, entry: int
    ) -> Iterator["Packet[VideoStream]"]:
        """The packets to decode from an entry point on.

        Where seeking does not lead there, it is tried from the entry points before, at last from
        the beginning of the file, without decoding what comes before the one that was asked for.
        """
        entries = self._index.entries
        if entry == 0:
            yield from (packet for packet in container.demux(stream) if packet.size)
            return
        pts, size = int(entries.pts[entry]), int(entries.size[entry])
        for earlier in range(entry, 0, -1):
            container.seek(int(entries.pts[earlier]), stream=stream, backward=True)
            packets = container.demux(stream)
            found = _skip_to(packets, pts)
            if found is not None:
                break
        else:
            raise self._refusal(int(entries.frames[entry]), "seeking does not find it")
        if found.size != size:
            self._watch.check()
            raise self._refusal(int(entries.frames[entry]), "its packet is another one now")
        yield found
        for packet in packets:
            # Pictures shown before the entry point refer to what was not decoded; nothing that is
            # shown after it refers to them.
            if packet.size and (packet.pts is None or packet.pts > pts):
                yield packet

    def _refusal(self, number: int, why: str) -> OrderNeeded:
        self._watch.check()
        frame = number - self._index.first
        return OrderNeeded(
            f"{self._index.path}: frame {frame} can't be read by itself ({why}).\n{WAY_OUT}"
        )


def _skip_to(packets: Iterator["Packet[VideoStream]"], pts: int) -> "Packet[VideoStream] | None":
    """The packet with this time; None if a key frame behind it or the end comes first."""
    for packet in packets:
        if packet.size == 0 or packet.pts is None:
            continue
        if packet.pts == pts:
            return packet
        if packet.is_keyframe and packet.pts > pts:
            return None
    return None


class FolderReader:
    """The images of a folder."""

    def __init__(self, index: FolderIndex) -> None:
        self._index = index
        self._convert = ImageConverter(index.form)
        self._watches = [Watch(os.path.join(index.path, name)) for name in index.names]
        self._last: tuple[int, np.ndarray] | None = None

    def read(self, start: int, stop: int) -> list[np.ndarray]:
        """See FrameReader."""
        images = []
        if self._last is not None and self._last[0] == start:
            images.append(self._last[1])
        images += [self._image(number) for number in range(start + len(images), stop)]
        self._last = stop - 1, images[-1]
        return images

    def close(self) -> None:
        """See FrameReader."""
        self._last = None

    def _image(self, number: int) -> np.ndarray:
        self._watches[number].check()
        path = os.path.join(self._index.path, self._index.names[number])
        picture = self._convert.read(path)
        if source_color(picture).hdr and self._index.form.peak_nits is None:
            raise OrderNeeded(
                f"{path}: is HDR, the first image is not; its tone curve depends on "
                f"the images before.\n{WAY_OUT}"
            )
        return self._convert(picture)
