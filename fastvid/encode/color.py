"""From full-range RGB frames to what an encoder takes: sample format, matrix, range and tags."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from fastvid.decode.frame import ColorTags
from fastvid.encode.codecs import CodecRule

# Code points of ITU-T H.273, table 4 (matrix coefficients).
MATRIX_RGB = 0
MATRIX_BT709 = 1
MATRIX_UNSPECIFIED = 2
MATRIX_SMPTE170M = 6
# The matrices that swscale computes, and the names that libavfilter has for them.
_MATRIX_NAMES = {
    MATRIX_BT709: "bt709",
    4: "fcc",
    5: "bt470bg",
    MATRIX_SMPTE170M: "smpte170m",
    7: "smpte240m",
    9: "bt2020",
}
# Frames pass the graph one by one; their times do not matter.
_ANY_TIME_BASE = Fraction(1, 25)
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
    if matrix not in _MATRIX_NAMES:
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

    Frames smaller than width x height get their last column and row repeated. Colour that is
    stored for two pixels stands at the left one, as players of these codecs take it.
    threads: for swscale.
    """

    def __init__(
        self, width: int, height: int, pix_fmt: str, tags: ColorTags, threads: int
    ) -> None:
        self._target = _Target(width, height, pix_fmt, tags)
        self._threads = threads
        self._reformatter = VideoReformatter()
        self._graph = _sampling_graph(self._target, threads) if pix_fmt.startswith("yuv") else None

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
        if self._graph is not None:
            frame.pts, frame.time_base = 0, _ANY_TIME_BASE
            self._graph.vpush(frame)
            return self._graph.vpull()
        return self._reformatter.reformat(
            frame,
            format=self._target.pix_fmt,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=int(
                Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
            ),
            threads=self._threads,
        )


def _sampling_graph(target: _Target, threads: int) -> Graph:
    """RGB to the samples of the target: the same arithmetic as the reformatter's, which does not
    know where chroma stands."""
    graph = Graph()
    graph.threads = threads
    samples = "full" if target.tags.full_range else "limited"
    nodes = [
        graph.add_buffer(
            width=target.width,
            height=target.height,
            format=av.VideoFormat("rgb24"),
            time_base=_ANY_TIME_BASE,
        ),
        graph.add(
            "scale",
            "flags=bicubic+accurate_rnd+full_chroma_inp:in_range=full:"
            f"out_range={samples}:out_color_matrix={_MATRIX_NAMES[target.tags.matrix]}:"
            "out_chroma_loc=left",
        ),
        graph.add("format", target.pix_fmt),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes)
    graph.configure()
    return graph
