"""What every source of frames offers, and which part of it --frames chooses."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from fastvid.decode.film_index import SourceIndex
from fastvid.decode.frame import Frame, VideoInfo
from fastvid.errors import InputError


class VideoSource(ABC):
    """Frames in presentation order, one at a time.

    info: facts and notes known before decoding.
    damage: what could not be decoded and what was shown instead; filled while iterating.
    late_notes: other things noticed while iterating (a change of size in mid-stream).
    stream_index: of the video stream in the file, None for a folder of images.
    first_pts, end_pts: when the chosen part begins and ends, in units of info.time_base;
        both are exact once the iteration is over, and before in any sound file.
    frame_count: how many frames the chosen part has, by the packets in the file.
    film_frame_count: the same of the whole film.

    Each `iter()` decodes afresh. Not for two threads at once.
    """

    info: VideoInfo
    damage: list[str]
    late_notes: list[str]
    stream_index: int | None
    first_pts: int
    end_pts: int
    frame_count: int
    film_frame_count: int

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Raises InputError where a frame can't be decoded (unless that is to be bridged)."""

    @abstractmethod
    def promised_frames(self) -> Iterator[Frame]:
        """The frames without images, as the packets promise them; nothing is decoded."""

    @abstractmethod
    def index(self) -> SourceIndex:
        """What others need to read any frame by itself, with the same bytes as here.

        Raises NotSeekable with the reason where that can't be promised.
        """

    def close(self) -> None:  # noqa: B027 (a source may hold nothing open)
        """Releases what is open. Iterators that are still running end with their generator."""

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def check_part(frames: tuple[int, int | None] | None) -> tuple[int, int | None]:
    """(first, stop) of --frames as a half-open range; raises InputError if it is none."""
    first, stop = frames if frames is not None else (0, None)
    if first < 0 or (stop is not None and stop <= first):
        raise InputError(
            f"--frames {format_part(first, stop)}: must be A:B with 0 <= A < B; A is "
            "the first frame, counted from 0, and B the first that is left out"
        )
    return first, stop


def check_part_within(path: str, first: int, stop: int | None, count: int) -> None:
    """Raises InputError where the range reaches beyond the `count` frames that there are."""
    if first >= count or (stop is not None and stop > count):
        raise InputError(
            f"--frames {format_part(first, stop)}: {path} has {count} frames, "
            f"numbers 0 to {count - 1}; the largest range is 0:{count}"
        )


def format_part(first: int, stop: int | None) -> str:
    """A:B as the user writes it."""
    return f"{first}:{'' if stop is None else stop}"
