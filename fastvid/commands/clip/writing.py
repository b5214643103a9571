"""The generated clip as a video file."""

import os
from fractions import Fraction

import av
import numpy as np

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.clip.sphere import SphereClip
from fastvid.encode.mp4_boxes import put_into_tracks
from fastvid.encode.sphere_boxes import sphere_boxes

# Constant rate factor of x264 that the eye can't tell from the original.
_CRF = "12"
_AUDIO_RATE_HZ = 48000
_AUDIO_BIT_RATE = 160_000
# BT.709 in the code points of ITU-T H.273.
_BT709 = 1


def write_clip(path: str | os.PathLike[str], clip: SyntheticClip | SphereClip) -> None:
    """Writes a clip with its sound as H.264 and AAC; the name's ending chooses the container.

    Odd sizes are stored with full colour resolution (4:4:4), which H.264 needs for them. Raises
    OSError where the file can't be written.
    """
    even = clip.width % 2 == 0 and clip.height % 2 == 0
    pixel_format = "yuv420p" if even else "yuv444p"
    with av.open(os.fspath(path), "w") as container:
        video = container.add_stream("libx264", rate=clip.rate, options={"crf": _CRF})
        video.width, video.height, video.pix_fmt = clip.width, clip.height, pixel_format
        video.time_base = 1 / clip.rate
        context = video.codec_context
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = av.video.reformatter.ColorRange.MPEG
        audio = container.add_stream("aac", rate=_AUDIO_RATE_HZ, layout="stereo")
        audio.bit_rate = _AUDIO_BIT_RATE
        for index in range(clip.frame_count):
            picture = av.VideoFrame.from_ndarray(clip.frame(index), format="rgb24").reformat(
                format=pixel_format,
                dst_colorspace=av.video.reformatter.Colorspace.ITU709,
                dst_color_range=av.video.reformatter.ColorRange.MPEG,
            )
            picture.pts, picture.time_base = index, 1 / clip.rate
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        samples = np.ascontiguousarray(clip.soundtrack(_AUDIO_RATE_HZ).T)
        sound = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        sound.sample_rate, sound.pts = _AUDIO_RATE_HZ, 0
        sound.time_base = Fraction(1, _AUDIO_RATE_HZ)
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    if isinstance(clip, SphereClip):
        with open(path, "r+b") as file:
            put_into_tracks(file, {0: sphere_boxes(clip.tags)})
