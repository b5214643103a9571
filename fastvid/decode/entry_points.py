"""Where decoding may begin in the middle of a file, with the same frames as from its beginning."""

from dataclasses import dataclass

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from fastvid.decode.container import best_video_stream, open_container, reason
from fastvid.decode.nal_units import NalFormat
from fastvid.decode.scan import is_picture
from fastvid.decode.timeline import Timeline

# Formats that store every packet's times and have an index of packets, so that a packet is the
# same one whether it was reached by seeking or by reading on.
_INDEXED_FORMATS = frozenset({"mov", "matroska", "nut"})
# Key frames of these reset everything that the decoder remembers: VP8 (RFC 6386, 9.1), VP9
# (bitstream specification, 7.2), AV1 (specification, 7.20; containers mark shown key frames only),
# FFV1 (RFC 9043, 4.4).
_RESETTING_CODECS = frozenset({"vp8", "vp9", "av1", "libdav1d", "ffv1", "png"})
_NAL_CODECS = frozenset({"h264", "hevc"})


class NotSeekable(Exception):
    """Why a source can only be decoded in order, in words."""


@dataclass(frozen=True)
class EntryPoints:
    """Packets at which decoding may begin, in order.

    frames: (E,) int64, the number in the file of the frame that each packet holds; the first is 0,
    which stands for the beginning of the file, whatever is there. pts, size: (E,) int64, times in
    the stream's time base, and bytes, by which the packets are known again; 0 for the beginning.
    """

    frames: np.ndarray
    pts: np.ndarray
    size: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    def before(self, frame: int) -> int:
        """The number of the last entry point that is not behind `frame`."""
        return int(np.searchsorted(self.frames, frame, side="right")) - 1


def find_entry_points(path: str, timeline: Timeline) -> EntryPoints:
    """Looks at every packet of the file's video stream, without decoding.

    Raises NotSeekable where exactness can't be promised: the format has no index, packets are not
    known by their times, or the codec's key frames are not known to reset its decoder.
    """
    if not timeline.exact:
        raise NotSeekable("its packets have no time stamps of their own")
    with open_container(path) as container:
        if not _INDEXED_FORMATS & set(container.format.name.split(",")):
            raise NotSeekable(f"{container.format.name} files have no index of their packets")
        stream = best_video_stream(container, path)
        judge = _Judge(stream)
        rows = [(0, 0, 0)]
        latest: int | None = None
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.pts is None:
                    continue
                if judge.begins_afresh(packet) and latest is not None and packet.pts > latest:
                    frame = timeline.position(packet.pts)
                    if frame:
                        rows.append((frame, packet.pts, packet.size))
                latest = packet.pts if latest is None else max(latest, packet.pts)
        except av.FFmpegError as error:
            raise NotSeekable(f"it is damaged ({reason(error)})") from error
        judge.check_parameter_sets()
    table = np.array(rows, np.int64)
    return EntryPoints(table[:, 0], table[:, 1], table[:, 2])


class _Judge:
    """Tells entry points by the content of the packets of one stream."""

    def __init__(self, stream: VideoStream) -> None:
        codec = stream.codec_context.codec
        self._codec_name = stream.codec_context.name
        # H.264 and HEVC: which picture a packet holds is read from the packet. The containers' own
        # marks also stand at pictures from which a decoder only gradually recovers.
        self._nal: NalFormat | None = None
        self._extradata = bytes(stream.codec_context.extradata or b"")
        if self._codec_name in _NAL_CODECS:
            self._nal = NalFormat.of_stream(self._codec_name, self._extradata)
        elif not (self._codec_name in _RESETTING_CODECS or codec.intra_only):
            raise NotSeekable(
                f"the {self._codec_name} decoder is not known to begin anew at key frames"
            )
        self._sets: set[frozenset[bytes]] = set()

    def begins_afresh(self, packet: "Packet[VideoStream]") -> bool:
        """Whether decoding may begin with this packet."""
        shown = is_picture(packet, self._codec_name) and not packet.is_corrupt
        if self._nal is None:
            return shown and packet.is_keyframe
        content = bytes(packet)
        sets = self._nal.parameter_sets(content)
        entry = shown and self._nal.begins_afresh(content)
        if entry or sets:
            self._sets.add(sets)
        return entry

    def check_parameter_sets(self) -> None:
        """Raises NotSeekable if the sets that a picture is decoded with depend on what was read.

        They don't if every entry point brings the same ones, or if all stand in the file's header.
        """
        unknown = [sets for sets in self._sets if not all(one in self._extradata for one in sets)]
        if unknown and len(self._sets) > 1:
            raise NotSeekable("its parameter sets change on the way")
