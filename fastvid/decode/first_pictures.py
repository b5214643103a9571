"""What only the decoder knows of a file's times, found out from its first pictures."""

from collections.abc import Iterator
from contextlib import closing

from av.video.frame import VideoFrame

from fastvid.decode.decoder import decoder_events
from fastvid.decode.failure import Failure

# Pictures among which one of a stream with B-frames is put in another order: twice the distance
# that key frames have as a rule.
_ENOUGH_PICTURES = 64
# Decoders that give a picture shown before the first key frame only if it is whole: HEVC and VVC
# mark those that need nothing from before (RADL), MPEG-1 and -2 say it of a group of pictures.
LEADING_KNOWN = frozenset({"hevc", "vvc", "mpeg1video", "mpeg2video"})


def times_step_back(path: str, packet_count: int) -> bool:
    """Whether a decoded picture has an earlier time than the one that is shown before it."""
    latest: int | None = None
    for picture in _first_pictures(path, packet_count):
        if picture.pts is None:
            continue
        if latest is not None and picture.pts < latest:
            return True
        latest = picture.pts
    return False


def decodable_leading(path: str, packet_count: int, leading: frozenset[int]) -> frozenset[int]:
    """Those of the pictures shown before the first key frame that the decoder gives whole.

    leading: their times.
    """
    found = set()
    for picture in _first_pictures(path, packet_count):
        if picture.pts is None or picture.pts > max(leading):
            break
        if picture.pts in leading and not picture.is_corrupt:
            found.add(picture.pts)
    return frozenset(found)


def _first_pictures(path: str, packet_count: int) -> Iterator[VideoFrame]:
    count = 0
    with closing(decoder_events(path, packet_count)) as events:
        for event in events:
            if isinstance(event, Failure):
                continue
            yield event
            count += 1
            if count == _ENOUGH_PICTURES:
                return
