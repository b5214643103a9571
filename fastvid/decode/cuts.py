"""Where shots begin: found by PySceneDetect, read from a file, or nowhere.

Frames go in one by one and come out with a mark; a detector that decides late holds back as many
frames as it needs.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from scenedetect.detectors import AdaptiveDetector

from fastvid.decode.frame import Frame
from fastvid.errors import InputError

# PySceneDetect's AdaptiveDetector with its defaults: a cut stands out from the mean score of the
# frames around it, so that fast motion alone is no cut. On the test clips it finds all the cuts
# that ContentDetector finds and three that it misses.
_ADAPTIVE_THRESHOLD = 3.0
_WINDOW_FRAMES = 2
_MIN_CONTENT_SCORE = 15.0
# Detection runs on frames reduced to about this width, as PySceneDetect itself does (1.4 instead of
# 10 ms a frame at 720p).
_DETECTION_WIDTH_PX = 256
_MAX_FILE_BYTES = 10 << 20
# Whether a frame begins a shot is judged by so many frames before it, and behind it.
FRAMES_BEFORE = _WINDOW_FRAMES + 1
FRAMES_BEHIND = _WINDOW_FRAMES


def mark_cuts(frames: Iterable[Frame], cuts: str) -> Iterator[tuple[Frame, bool]]:
    """Yields each frame with whether it is the first of a shot.

    cuts: "auto", "none" or the path of a file with one first-frame number a line.
    Raises InputError for a file that can't be used; frame numbers beyond the end are noticed when
    the end is reached, if `check_cuts` was not told the number of frames before.
    """
    if cuts == "auto":
        return _detect(frames)
    if cuts == "none":
        return ((frame, frame.index == 0) for frame in frames)
    return _at(frames, read_cuts(Path(cuts)), cuts)


def cuts_within(frames: Iterable[Frame], start: int, stop: int) -> list[int]:
    """Which of the frames [start, stop) `mark_cuts` would find to be the first of a shot.

    frames: these with FRAMES_BEFORE and FRAMES_BEHIND around them, as far as there are any.
    """
    return [
        frame.index for frame, begins in _detect(frames) if begins and start <= frame.index < stop
    ]


def check_cuts(cuts: str, frame_count: int) -> None:
    """Raises InputError for a cuts file that can't be used, or that names frames beyond the end.

    cuts: as for `mark_cuts`. frame_count: frames of the video, as far as is known before decoding.
    """
    if cuts not in ("auto", "none"):
        _check_end(read_cuts(Path(cuts)), frame_count, cuts)


def read_cuts(path: Path) -> frozenset[int]:
    """The frame numbers (from 0) in a cuts file; blank lines and lines that begin with # do not
    count.

    Raises InputError that names the line.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise InputError(
                f"The cuts file {path} is larger than {_MAX_FILE_BYTES} bytes; it "
                "should hold one frame number a line."
            )
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"Can't read the cuts file {path}: {error.strerror}.\n"
            "--cuts takes auto, none, or a file with one first-frame number a line."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"The cuts file {path} is not text; it should hold one frame number a line."
        ) from error
    cuts: set[int] = set()
    for number, line in enumerate(lines, start=1):
        text = line.strip().rstrip(",").strip()
        if not text or text.startswith("#"):
            continue
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise InputError(
                f"{path}, line {number}: {text[:40]!r} is not a frame number (a whole number, the "
                "first frame of the video being 0)."
            )
        cuts.add(int(text))
    return frozenset(cuts)


def _at(frames: Iterable[Frame], cuts: frozenset[int], path: str) -> Iterator[tuple[Frame, bool]]:
    count = 0
    for frame in frames:
        count = frame.index + 1
        yield frame, frame.index == 0 or frame.index in cuts
    _check_end(cuts, count, path)


def _check_end(cuts: frozenset[int], count: int, path: str) -> None:
    beyond = sorted(cut for cut in cuts if cut >= count)
    if beyond:
        raise InputError(
            f"The cuts file {path} names frame {beyond[0]}, but the last frame is {count - 1}.\n"
            "Take it out, or let the cuts be found with --cuts auto."
        )


def _detect(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    detector = AdaptiveDetector(
        adaptive_threshold=_ADAPTIVE_THRESHOLD,
        min_scene_len=1,
        window_width=_WINDOW_FRAMES,
        min_content_val=_MIN_CONTENT_SCORE,
    )
    held: deque[Frame] = deque()
    cuts: set[int] = {0}
    for frame in frames:
        cuts.update(int(cut) for cut in detector.process_frame(frame.index, _reduced(frame.image)))
        held.append(frame)
        # A frame is judged once the window behind it is full; the first and last two never are
        # (there the gate of the temporal pass keeps one shot from showing in the other).
        if len(held) > _WINDOW_FRAMES:
            first = held.popleft()
            yield first, first.index in cuts
    while held:
        first = held.popleft()
        yield first, first.index in cuts


def _reduced(image: np.ndarray) -> np.ndarray:
    """The frame as the detector takes it: small, BGR.

    The mean over areas. Where these are no whole numbers of pixels it takes OpenCV many times as
    long: the frame is halved before, as often as areas stay twice as large as pixels.
    """
    factor = max(1, image.shape[1] // _DETECTION_WIDTH_PX)
    size = image.shape[1] // factor, max(1, image.shape[0] // factor)
    while _may_be_halved(image, size):
        half = image.shape[1] // 2, image.shape[0] // 2
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    if factor > 1:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bgr


def _may_be_halved(image: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether an image can be halved on its way to (width, height), and gains by it."""
    height, width = image.shape[:2]
    whole = width % size[0] == height % size[1] == 0
    large = width >= 4 * size[0] and height >= 4 * size[1]
    return large and not whole and width % 2 == height % 2 == 0
