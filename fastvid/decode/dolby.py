"""Dolby Vision whose pictures mean nothing without its own metadata: profile 5, and 10.0 in AV1.

Their samples are not Y'CbCr but IPT, reshaped picture by picture. The layers of all other profiles
can be seen by themselves (SDR, PQ or HLG) and are read so.
"""

import struct

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from fastvid.decode.colors import UNSPECIFIED
from fastvid.decode.orientation import side_data_of
from fastvid.errors import InputError

# Sample entries for streams that only a decoder of Dolby Vision can show (Dolby Vision Streams
# Within the ISO Base Media File Format, 2.1).
_DOLBY_ALONE = frozenset({"dvh1", "dvhe", "dav1"})
# libavutil's AVDOVIMetadata begins with the place of its AVDOVIRpuDataHeader.
_HEADER_PLACE = struct.Struct("@N")
# rpu_type, rpu_format, vdr_rpu_profile, vdr_rpu_level, chroma_resampling_explicit_filter_flag,
# coef_data_type, coef_log2_denom, vdr_rpu_normalized_idc, bl_video_full_range_flag.
_HEADER = struct.Struct("@BHBBBBBBB")


def check_colors(path: str, frame: VideoFrame, codec_tag: str) -> None:
    """Raises InputError if the colours of a film can't be read, with the way out.

    frame: its first one. codec_tag: by which the container names the codec.
    """
    metadata = side_data_of(frame, Type.DOVI_METADATA)
    # A base layer that can be seen says how it is coded; the metadata may have been stripped.
    untold = codec_tag in _DOLBY_ALONE and int(frame.color_trc) == UNSPECIFIED
    if is_reshaped(metadata) or (untold and not metadata):
        raise InputError(
            f"{path} is Dolby Vision of a profile (5) whose colours only its own metadata makes "
            "right; read as they are they are green and violet.\nConvert it first, with an ffmpeg "
            "that has libplacebo: ffmpeg -i IN -vf libplacebo=colorspace=bt709:color_primaries="
            "bt709:color_trc=bt709:tonemapping=auto:format=yuv420p -c:a copy OUT.mp4"
        )


def is_reshaped(metadata: bytes) -> bool:
    """Whether the metadata of a frame (AVDOVIMetadata; empty for none) says that its samples are
    IPT: profile 0 of the metadata with samples of full range, as FFmpeg tells profile 5."""
    try:
        (place,) = _HEADER_PLACE.unpack_from(metadata)
        header = _HEADER.unpack_from(metadata, place)
    except struct.error:
        return False
    profile, full_range = int(header[2]), int(header[-1])
    return profile == 0 and full_range == 1
