"""A folder of numbered images as a video."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
from av.video.frame import VideoFrame

from fastvid.decode.colors import has_full_chroma, loss_notes, source_color
from fastvid.decode.container import MAX_PIXELS, check_size, reason
from fastvid.decode.entry_points import NotSeekable
from fastvid.decode.film_index import FolderIndex, PictureForm, picture_look
from fastvid.decode.filters import RgbConverter
from fastvid.decode.frame import NO_IMAGE, ColorTags, Frame, VideoInfo
from fastvid.decode.geometry import working_size
from fastvid.decode.orientation import display_matrix, swaps_sides, upright_filters
from fastvid.decode.source import VideoSource, check_part_within
from fastvid.decode.tonemap import source_peak_nits
from fastvid.errors import InputError

# File name extensions and libavformat's demuxers for them.
_DEMUXERS = {
    ".png": "png_pipe",
    ".jpg": "jpeg_pipe",
    ".jpeg": "jpeg_pipe",
    ".bmp": "bmp_pipe",
    ".tif": "tiff_pipe",
    ".tiff": "tiff_pipe",
    ".webp": "webp_pipe",
    ".ppm": "ppm_pipe",
    ".pgm": "pgm_pipe",
    ".exr": "exr_pipe",
    ".dpx": "dpx_pipe",
    ".jp2": "j2k_pipe",
}
IMAGE_ENDINGS = frozenset(_DEMUXERS)
# Missing numbers that are named before "and N more".
_NAMED_GAPS = 5


@dataclass(frozen=True)
class NumberedImages:
    """The images of a folder in the order of their numbers. numbers and names: same length."""

    numbers: list[int]
    names: list[str]


def list_images(folder: str) -> NumberedImages:
    """The numbered images of a folder; the number is the last run of digits in the name.

    Raises InputError if the folder can't be read, has no images, has images without a number or
    two with the same number, or if numbers between the first and the last are missing.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{folder}: can't be read: {error.strerror}") from error
    images = [
        name
        for name in names
        if not name.startswith(".") and os.path.splitext(name)[1].lower() in _DEMUXERS
    ]
    if not images:
        raise InputError(
            f"{folder}: is a folder without images ({', '.join(sorted(_DEMUXERS))} are read)"
        )
    by_number: dict[int, str] = {}
    for name in images:
        digits = re.findall(r"\d+", os.path.splitext(name)[0])
        if not digits:
            raise InputError(
                f"{os.path.join(folder, name)}: has no number in its name; images are "
                "ordered by number, as in frame_0001.png"
            )
        number = int(digits[-1])
        if number in by_number:
            raise InputError(
                f"{folder}: {by_number[number]} and {name} have the same number "
                f"{number}; each frame needs its own"
            )
        by_number[number] = name
    _check_no_gaps(folder, by_number)
    numbers = sorted(by_number)
    return NumberedImages(numbers, [by_number[number] for number in numbers])


def _check_no_gaps(folder: str, by_number: dict[int, str]) -> None:
    first, last = min(by_number), max(by_number)
    missing = last - first + 1 - len(by_number)
    if not missing:
        return
    named: list[str] = []
    for number, following in pairwise(sorted(by_number)):
        named += [str(n) for n in range(number + 1, min(following, number + 1 + _NAMED_GAPS))]
        if len(named) >= _NAMED_GAPS:
            break
    shown = named[:_NAMED_GAPS]
    more = f" and {missing - len(shown)} more" if missing > len(shown) else ""
    raise InputError(
        f"{folder}: number {', '.join(shown)}{more} of {first} to {last} is missing; "
        "every frame needs its image, or the film would jump"
    )


def read_image(path: str) -> VideoFrame:
    """Decodes one image file. Raises InputError if it can't be read or is no such image."""
    demuxer = _DEMUXERS[os.path.splitext(path)[1].lower()]
    try:
        with (
            open(path, "rb") as stream,
            av.open(
                stream, mode="r", format=demuxer, container_options={"protocol_whitelist": ""}
            ) as box,
        ):
            video = box.streams.video[0]
            video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            check_size(path, video.codec_context.width, video.codec_context.height)
            video.codec_context.thread_count = 1
            for frame in box.decode(video):
                return frame
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except (av.FFmpegError, IndexError) as error:
        raise InputError(f"{path}: is not a readable image ({reason(error)})") from error
    raise InputError(f"{path}: has no picture in it")


class ImageConverter:
    """Reads the images of a folder, each turned upright by itself, as frames of one form."""

    def __init__(self, form: PictureForm) -> None:
        self._form = form
        width, height = (int(side) for side in form.look.split()[0].split("x"))
        self._upright = (height, width) if swaps_sides(form.turn) else (width, height)
        self._converters: dict[str, RgbConverter] = {}

    def read(self, path: str) -> VideoFrame:
        """One image. Raises InputError if it can't be read or is not of the first one's size."""
        picture = read_image(path)
        turn, turned = upright_filters(display_matrix(picture))
        size = picture.width, picture.height
        if (size[::-1] if swaps_sides(turn) else size) != self._upright:
            said = f" ({turned})" if turned else ""
            raise InputError(
                f"{path}: has {size[0]}x{size[1]} pixels{said}, the first image has "
                f"{self._upright[0]}x{self._upright[1]}; all images of a folder must have one size"
            )
        return picture

    def __call__(self, picture: VideoFrame) -> np.ndarray:
        """An image that was read as a frame, (H, W, 3) uint8 RGB."""
        turn, _ = upright_filters(display_matrix(picture))
        if turn not in self._converters:
            form = self._form
            self._converters[turn] = RgbConverter(
                form.width, form.height, turn, form.peak_nits, form.chroma
            )
        return self._converters[turn](picture)


def open_images(
    folder: str,
    size: tuple[int, int] | None,
    part: tuple[int, int | None],
    fps: Fraction | None,
    on_error: str,
) -> VideoSource:
    """Opens a folder of numbered images as a source; parameters as in `open_source`."""
    if fps is None:
        raise InputError(
            f"{folder}: is a folder of images, which have no times; say how many are "
            "shown in a second, as in --fps 25 or --fps 30000/1001"
        )
    if fps <= 0:
        raise InputError(f"--fps {fps}: must be more than 0")
    images = list_images(folder)
    check_part_within(folder, *part, len(images.names))
    return ImageSource(folder, images, size, part, fps, on_error)


class ImageSource(VideoSource):
    """The images of a folder; frame n of the folder is shown at n / fps. See VideoSource."""

    def __init__(
        self,
        folder: str,
        images: NumberedImages,
        size: tuple[int, int] | None,
        part: tuple[int, int | None],
        fps: Fraction,
        on_error: str,
    ) -> None:
        first, stop = part
        stop = len(images.names) if stop is None else stop
        self._paths = [os.path.join(folder, name) for name in images.names[first:stop]]
        self._keep_going = on_error == "keep-going"
        sample = self._first_readable()
        turn, turned = upright_filters(display_matrix(sample))
        coded = sample.width, sample.height
        upright = coded[::-1] if swaps_sides(turn) else coded
        width, height = working_size(folder, *upright, size)
        color = source_color(sample)
        # One tone curve for the whole part.
        peak_nits = source_peak_nits(sample) if color.hdr else None
        self._form = PictureForm(width, height, turn, peak_nits, picture_look(sample), "center")
        self.stream_index = None
        self.frame_count, self.film_frame_count = len(self._paths), len(images.names)
        self.first_pts, self.end_pts = first, stop
        self.damage, self.late_notes = [], []
        # Images carry full-range samples; the film made of them is an ordinary one.
        tags = ColorTags(color.tags.primaries, color.tags.transfer, color.tags.matrix, False)
        notes = tuple(note for note in (turned, *loss_notes(sample)) if note)
        self._first_turn = turn
        self.info = VideoInfo(
            folder,
            width,
            height,
            1 / fps,
            fps,
            self.frame_count,
            tags,
            notes,
            has_full_chroma(sample),
        )

    def _first_readable(self) -> VideoFrame:
        for number, path in enumerate(self._paths):
            try:
                return read_image(path)
            except InputError:
                if not self._keep_going or number + 1 == len(self._paths):
                    raise
        raise AssertionError("the chosen part is never empty")

    def __iter__(self) -> Iterator[Frame]:
        self.damage.clear()
        self.late_notes.clear()
        converter = ImageConverter(self._form)
        last = self._first_readable() if self._keep_going else None
        for index, path in enumerate(self._paths):
            try:
                picture = converter.read(path)
            except InputError as error:
                if last is None:
                    raise
                self.damage.append(f"{error}; the last good image is repeated")
                picture = last
            last = picture if self._keep_going else None
            self._notice(path, picture)
            yield Frame(index, converter(picture), self.first_pts + index, 1)

    def promised_frames(self) -> Iterator[Frame]:
        for index in range(self.frame_count):
            yield Frame(index, NO_IMAGE, self.first_pts + index, 1)

    def index(self) -> FolderIndex:
        if self._keep_going:
            raise NotSeekable("--on-error keep-going repeats the image before a bad one")
        names = tuple(os.path.basename(path) for path in self._paths)
        return FolderIndex(os.path.abspath(self.info.path), self._form, names)

    def _notice(self, path: str, picture: VideoFrame) -> None:
        """Says once what is done with this image and was not done with the first one."""
        turn, turned = upright_filters(display_matrix(picture))
        if self.late_notes:
            return
        if turn != self._first_turn:
            how = turned or "not turned"
            self.late_notes.append(
                f"{path}: {how}, unlike the first image; each is turned as it says"
            )
        elif new := [note for note in loss_notes(picture) if note not in self.info.notes]:
            self.late_notes.append(f"{path}: {new[0]}")
