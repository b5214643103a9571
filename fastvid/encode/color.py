"""From full-range RGB frames to what an encoder takes: sample format, matrix, range and tags."""

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from fastvid.decode.frame import ColorTags
from fastvid.encode.codecs import CodecRule

# Code points of ITU-T H.273, table 4 (matrix coefficients).
MATRIX_RGB = 0
MATRIX_BT709 = 1
MATRIX_UNSPECIFIED = 2
MATRIX_SMPTE170M = 6
# The matrices that swscale computes, and its own names for them.
_SWSCALE_MATRICES = {
    MATRIX_BT709: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    MATRIX_SMPTE170M: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
# Up to this height players take an untagged video for BT.601, above it for BT.709.
_LARGEST_SD_HEIGHT = 576


def output_tags(color: ColorTags, rule: CodecRule, height: int) -> ColorTags:
    """The tags to write: those of the video, made true for what the encoder really gets.

    An RGB codec gets matrix 0 and full range. A matrix that is unspecified, or that swscale can't
    compute, becomes BT.601 for SD and BT.709 for larger frames, so that the tag always says
    what was computed. Primaries and transfer are kept.
    """
    if rule.rgb:
        return ColorTags(color.primaries, color.transfer, MATRIX_RGB, True)
    matrix = color.matrix
    if matrix not in _SWSCALE_MATRICES:
        matrix = MATRIX_SMPTE170M if height <= _LARGEST_SD_HEIGHT else MATRIX_BT709
    return ColorTags(color.primaries, color.transfer, matrix, color.full_range and rule.full_range)


@dataclass(frozen=True)
class _Target:
    width: int
    height: int
    pix_fmt: str
    tags: ColorTags


class FrameConverter:
    """Turns (H, W, 3) uint8 RGB images into libavcodec frames of a fixed size and format.

    Frames smaller than width x height get their last column and row repeated.
    threads: for swscale.
    """

    def __init__(
        self, width: int, height: int, pix_fmt: str, tags: ColorTags, threads: int
    ) -> None:
        self._target = _Target(width, height, pix_fmt, tags)
        self._threads = threads
        self._reformatter = VideoReformatter()

    def __call__(self, image: np.ndarray) -> av.VideoFrame:
        """Raises ValueError unless image is (H, W, 3) uint8 and not larger than the output."""
        target = self._target
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"need an (H, W, 3) uint8 image, got {image.shape} {image.dtype}")
        below, right = target.height - image.shape[0], target.width - image.shape[1]
        if below or right:
            image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if target.pix_fmt != "rgb24":
            frame = self._convert(frame)
        frame.color_primaries = target.tags.primaries
        frame.color_trc = target.tags.transfer
        frame.colorspace = target.tags.matrix
        frame.color_range = ColorRange.JPEG if target.tags.full_range else ColorRange.MPEG
        return frame

    def _convert(self, frame: av.VideoFrame) -> av.VideoFrame:
        target = self._target
        matrix = _SWSCALE_MATRICES.get(target.tags.matrix)
        return self._reformatter.reformat(
            frame,
            format=target.pix_fmt,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG if target.tags.full_range else ColorRange.MPEG,
            interpolation=int(
                Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
            ),
            threads=self._threads,
        )
