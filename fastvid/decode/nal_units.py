"""The units that H.264 and HEVC packets consist of, as far as random access needs to know them.

NAL units: ITU-T H.264, 7.3.1 and table 7-1; H.265, 7.3.1.2 and table 7-1. Byte streams with start
codes: their annexes B. Length-prefixed units, as in MP4 and Matroska: ISO/IEC 14496-15.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_START_CODE = b"\x00\x00\x01"
# Slices of pictures: H.264 1 to 5; HEVC 0 to 31, those in use are 0 to 9 and 16 to 21.
_H264_SLICES = frozenset(range(1, 6))
_H264_IDR_SLICE = 5
_HEVC_SLICES = frozenset(range(32))
# BLA, IDR and CRA: pictures from which HEVC may be decoded (H.265, 3.76: IRAP pictures).
_HEVC_ENTRY_SLICES = frozenset(range(16, 22))
_H264_PARAMETER_SETS = frozenset((7, 8, 13, 15))
_HEVC_PARAMETER_SETS = frozenset((32, 33, 34))


@dataclass(frozen=True)
class NalFormat:
    """How the packets of a stream are cut into NAL units.

    hevc: HEVC, else H.264. length_bytes: of the length in front of each unit, 0 for start codes.
    """

    hevc: bool
    length_bytes: int

    @classmethod
    def of_stream(cls, codec_name: str, extradata: bytes) -> "NalFormat":
        """The format that the stream's configuration record tells, start codes without one."""
        hevc = codec_name == "hevc"
        position = 21 if hevc else 4  # of lengthSizeMinusOne in hvcC and avcC
        if len(extradata) <= position or extradata[0] != 1:
            return cls(hevc, 0)
        return cls(hevc, (extradata[position] & 3) + 1)

    def _kind(self, unit: bytes) -> int:
        return unit[0] >> 1 & 0x3F if self.hevc else unit[0] & 0x1F

    def begins_afresh(self, packet: bytes) -> bool:
        """Whether nothing from before this picture is needed to decode it and what is shown after.

        H.264: only IDR pictures. HEVC: every IRAP picture, as those shown after one must not refer
        to any before it (H.265, 8.3.2).
        """
        slices, entries = (
            (_HEVC_SLICES, _HEVC_ENTRY_SLICES)
            if self.hevc
            else (_H264_SLICES, frozenset((_H264_IDR_SLICE,)))
        )
        kinds = {self._kind(unit) for unit in self._units(packet)} & slices
        return bool(kinds) and kinds <= entries

    def parameter_sets(self, packet: bytes) -> frozenset[bytes]:
        """The parameter sets in a packet."""
        kinds = _HEVC_PARAMETER_SETS if self.hevc else _H264_PARAMETER_SETS
        return frozenset(unit for unit in self._units(packet) if self._kind(unit) in kinds)

    def _units(self, packet: bytes) -> Iterator[bytes]:
        units = self._prefixed(packet) if self.length_bytes else _between_start_codes(packet)
        return (unit for unit in units if unit)

    def _prefixed(self, packet: bytes) -> Iterator[bytes]:
        at = 0
        while at + self.length_bytes <= len(packet):
            begin = at + self.length_bytes
            at = begin + int.from_bytes(packet[at:begin], "big")
            yield packet[begin:at]


def _between_start_codes(packet: bytes) -> Iterator[bytes]:
    for unit in packet.split(_START_CODE)[1:]:
        yield unit.rstrip(b"\x00")  # the fourth byte of a long start code, and padding
