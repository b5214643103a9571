"""Decodes a file (or a folder of numbered images) to upright RGB frames with their own times."""

import logging
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from av.video.frame import VideoFrame

from fastvid.decode.colors import has_full_chroma, loss_notes, source_color
from fastvid.decode.container import (
    check_size,
    file_size,
    open_container,
    require_readable_file,
)
from fastvid.decode.decoder import Probe, decoder_events, probe_file
from fastvid.decode.dolby import check_colors
from fastvid.decode.entry_points import NotSeekable, find_entry_points
from fastvid.decode.film_index import FilmIndex, PictureForm, picture_look
from fastvid.decode.filters import Deinterlacer, RgbConverter
from fastvid.decode.fingerprint import fingerprint
from fastvid.decode.frame import NO_IMAGE, Frame, VideoInfo
from fastvid.decode.geometry import square_size, working_size
from fastvid.decode.images import IMAGE_ENDINGS, open_images
from fastvid.decode.orientation import display_matrix, swaps_sides, upright_filters
from fastvid.decode.recovery import Placed, Recovery
from fastvid.decode.scan import Scan, scan_file
from fastvid.decode.source import VideoSource, check_part, check_part_within, format_part
from fastvid.decode.sphere_tags import sphere_tags
from fastvid.decode.timeline import without_second_fields
from fastvid.decode.tonemap import source_peak_nits
from fastvid.errors import InputError

__all__ = ["VideoSource", "fingerprint", "open_source"]

_log = logging.getLogger(__name__)

ON_ERROR_CHOICES = ("stop", "keep-going")
# bwdif looks one frame back and one ahead: a part is decoded with that much around it, so that
# its frames are the same as in the whole.
_FILTER_REACH = 1


def open_source(
    path: str,
    *,
    size: tuple[int, int] | None = None,
    frames: tuple[int, int | None] | None = None,
    fps: Fraction | None = None,
    on_error: str = "stop",
) -> VideoSource:
    """Opens a video file or a folder of numbered images.

    size: (w, h) of the frames, one may be -1; None keeps the size. frames: half-open range of frame
    numbers, the end may be None. fps: frames per second of a folder of images; needed there and
    an error elsewhere. on_error: "stop" or "keep-going", see the README.

    Raises InputError for everything that the user can put right, most of it before any decoding.
    """
    if on_error not in ON_ERROR_CHOICES:
        raise InputError(f"--on-error {on_error}: must be one of {', '.join(ON_ERROR_CHOICES)}")
    part = check_part(frames)
    if os.path.isdir(path):
        return open_images(path, size, part, fps, on_error)
    if fps is not None:
        require_readable_file(path)
        if os.path.splitext(path)[1].lower() in IMAGE_ENDINGS:
            open_container(path).close()  # says that a still image is one: it has no times
        raise InputError(
            f"--fps {fps}: is for a folder of numbered images; {path} has its own times"
        )
    return _open_file(path, size, part, on_error)


def _open_file(
    path: str, size: tuple[int, int] | None, part: tuple[int, int | None], on_error: str
) -> "FileSource":
    scan = scan_file(path)
    probe = probe_file(path, scan.packet_count, scan.show_all)
    check_colors(path, probe.frame, probe.codec_tag)
    if probe.frame.interlaced_frame and len(probe.times) > 2:
        steps = [b - a for a, b in pairwise(probe.times)]
        scan = replace(scan, timeline=without_second_fields(scan.timeline, max(steps)))
    check_part_within(path, *part, len(scan.timeline))
    _check_not_cut_short(path, scan, part, on_error)
    return FileSource(path, scan, probe, size, part, on_error)


def _check_not_cut_short(
    path: str, scan: Scan, part: tuple[int, int | None], on_error: str
) -> None:
    """Raises InputError where frames of the chosen part are known to be missing at the end."""
    first, stop = part
    readable, total = scan.timeline.readable, len(scan.timeline)
    if not scan.cut_short or on_error == "keep-going" or (stop is not None and stop <= readable):
        return
    seconds = float((scan.timeline.time(readable) - scan.timeline.time(0)) * scan.time_base)
    known = f"{readable} of {total}" if total > readable else f"{readable}"
    raise InputError(
        f"{path}: is cut short ({scan.cut_short}): {known} frames can be read, up to "
        f"{seconds:.2f} s.\n--on-error keep-going repeats the last good frame for the rest, "
        f"--frames {format_part(min(first, readable - 1), readable)} takes only what is there"
    )


def _notes(probe: Probe, scan: Scan, turn: str, upright: tuple[int, int]) -> list[str]:
    frame, color = probe.frame, source_color(probe.frame)
    notes = list(scan.timeline.notes)
    if frame.interlaced_frame:
        notes.append("interlaced: made into whole frames (bwdif)")
    if turn:
        notes.append(turn)
    if set(upright) != {frame.width, frame.height}:
        notes.append(
            f"pixels are not square ({probe.pixel_aspect}): resampled from "
            f"{frame.width}x{frame.height} to {upright[0]}x{upright[1]}"
        )
    if color.hdr:
        notes.append(f"HDR ({color.hdr.upper()}): tone-mapped to SDR, BT.709")
    if color.note:
        notes.append(color.note)
    return [*notes, *loss_notes(frame)]


class FileSource(VideoSource):
    """The frames of a video file; see VideoSource."""

    def __init__(
        self,
        path: str,
        scan: Scan,
        probe: Probe,
        size: tuple[int, int] | None,
        part: tuple[int, int | None],
        on_error: str,
    ) -> None:
        self._scan, self._part, self._keep_going = scan, part, on_error == "keep-going"
        self._turn, turned = upright_filters(display_matrix(probe.frame))
        width, height = square_size(probe.frame.width, probe.frame.height, probe.pixel_aspect)
        if swaps_sides(self._turn):
            width, height = height, width
        final = working_size(path, width, height, size)
        self._coded_size = probe.frame.width, probe.frame.height
        self._interlaced = probe.frame.interlaced_frame
        color = source_color(probe.frame)
        # One tone curve for the whole film, whichever part is chosen.
        peak_nits = source_peak_nits(probe.frame) if color.hdr else None
        self._form = PictureForm(
            *final, self._turn, peak_nits, picture_look(probe.frame), probe.chroma
        )
        self._said: set[str] = set()
        timeline = scan.timeline
        first, stop = part
        last = (len(timeline) if stop is None else stop) - 1
        self.frame_count, self.film_frame_count = last + 1 - first, len(timeline)
        self.stream_index = scan.stream_index
        self.first_pts, self.end_pts = timeline.time(first), timeline.time(last + 1)
        self.damage, self.late_notes = [], []
        self.info = VideoInfo(
            path,
            *final,
            scan.time_base,
            scan.rate,
            self.frame_count,
            color.tags,
            tuple(_notes(probe, scan, turned, (width, height))),
            has_full_chroma(probe.frame),
            sphere_tags(probe.frame),
        )

    def __iter__(self) -> Iterator[Frame]:
        first, stop = self._part
        self.damage.clear()
        self.late_notes.clear()
        self._said.clear()
        form = self._form
        converter = RgbConverter(form.width, form.height, form.turn, form.peak_nits, form.chroma)
        timeline = self._scan.timeline
        done = 0
        for index, picture in self._whole_frames():
            if index < first:
                continue
            if stop is not None and index >= stop:
                break
            self._notice_size(index, picture)
            self.end_pts = timeline.time(index + 1)
            yield Frame(
                index - first, converter(picture), timeline.time(index), timeline.duration(index)
            )
            done = index + 1
        self._check_complete(done)

    def promised_frames(self) -> Iterator[Frame]:
        first, timeline = self._part[0], self._scan.timeline
        for index in range(self.frame_count):
            yield Frame(
                index, NO_IMAGE, timeline.time(first + index), timeline.duration(first + index)
            )

    def index(self) -> FilmIndex:
        if self._keep_going:
            raise NotSeekable("--on-error keep-going repeats the frame before a bad one")
        if self._scan.cut_short:
            raise NotSeekable("it is cut short")
        if self._interlaced:
            raise NotSeekable("it is interlaced: a frame is made from its neighbours too")
        path, first = os.path.abspath(self.info.path), self._part[0]
        entries = find_entry_points(path, self._scan.timeline)
        return FilmIndex(
            path,
            file_size(path),
            self._form,
            first,
            first + self.frame_count,
            self._scan.timeline.times,
            entries,
        )

    def _whole_frames(self) -> Iterator[tuple[int, VideoFrame]]:
        """(index in the file, deinterlaced picture), from a little before the chosen part."""
        deinterlacer = Deinterlacer()
        with closing(self._placed()) as placed:
            for item in placed:
                if item.index >= self._part[0] - _FILTER_REACH:
                    self._notice_fields(item)
                    self._notice_aspect(item)
                    yield from deinterlacer.push(item.index, item.picture)
        yield from deinterlacer.flush()

    def _placed(self) -> Generator[Placed, None, None]:
        first, stop = self._part
        recovery = Recovery(
            self.info.path, self._scan, (first, stop), self._keep_going, self.damage
        )
        scan = self._scan
        with closing(decoder_events(self.info.path, scan.packet_count, scan.show_all)) as events:
            yield from recovery.place(events)

    def _notice_size(self, index: int, picture: VideoFrame) -> None:
        size = picture.width, picture.height
        if size == self._coded_size:
            return
        check_size(self.info.path, *size)
        self._say_once(
            "size",
            f"frame {index} has {size[0]}x{size[1]} pixels, the first had "
            f"{self._coded_size[0]}x{self._coded_size[1]}; it and others like "
            "it are scaled to the first frame's size",
        )

    def _notice_aspect(self, item: Placed) -> None:
        aspect = item.picture.opaque
        if isinstance(aspect, Fraction):
            self._say_once(
                "aspect",
                f"from about frame {item.index} on its pixels have another shape "
                f"({float(aspect):.3g}); it is scaled as at the beginning",
            )

    def _notice_fields(self, item: Placed) -> None:
        if item.picture.interlaced_frame and not self._interlaced:
            self._say_once(
                "fields", f"interlaced from frame {item.index} on: made into whole frames (bwdif)"
            )

    def _say_once(self, subject: str, text: str) -> None:
        if subject not in self._said:
            self._said.add(subject)
            self.late_notes.append(text)

    def _check_complete(self, done: int) -> None:
        _, stop = self._part
        if stop is not None and done < stop:
            check_part_within(self.info.path, self._part[0], stop, done)
        _log.debug("%s: decoded up to frame %d", self.info.path, done)
