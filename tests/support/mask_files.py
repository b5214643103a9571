"""Masks in every kind of file that they come in, and pictures of labels."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fastvid.regions.settings import RegionSettings


def settled(
    *, sha256: str = "", strength: float = 1.0, feather: float = 0.0, refine: bool = False
) -> RegionSettings:
    """What is settled of a region, of which a test names what it is about."""
    return RegionSettings(
        mask="mask",
        mask_sha256="",
        selector="",
        style="style",
        style_sha256=sha256,
        strength=strength,
        keep_colors=False,
        invert=False,
        grow=0.0,
        feather=feather,
        refine=refine,
    )


def grey_mask(width: int = 64, height: int = 48) -> np.ndarray:
    """(height, width) uint8: black, a white block, and half of a grey one below it."""
    mask = np.zeros((height, width), np.uint8)
    mask[8:24, 16:40] = 255
    mask[24:32, 16:40] = 128
    return mask


def write_folder(folder: Path, masks: Sequence[np.ndarray]) -> Path:
    """Masks as numbered PNGs."""
    folder.mkdir()
    for number, mask in enumerate(masks):
        cv2.imwrite(str(folder / f"{number:05d}.png"), mask)
    return folder


def write_image(path: Path, codec: str, frame: VideoFrame) -> Path:
    """One picture, in the format that it has."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = frame.width, frame.height
    context.pix_fmt = frame.format.name
    context.time_base = Fraction(1, 25)
    packets = [*context.encode(frame), *context.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


def palette_frame(indices: np.ndarray, colors: dict[int, tuple[int, int, int]]) -> VideoFrame:
    """A picture with a palette; colours are (red, green, blue)."""
    palette = np.zeros((256, 4), np.uint8)
    palette[:, 0] = 255
    for index, color in colors.items():
        palette[index, 1:] = color
    frame = VideoFrame(indices.shape[1], indices.shape[0], "pal8")
    frame.planes[0].update(np.ascontiguousarray(indices).tobytes())
    # As 32-bit words, alpha in the highest byte.
    frame.planes[1].update(palette[:, ::-1].tobytes())
    return frame


def float_frame(values: np.ndarray) -> VideoFrame:
    """A luminance of float32, as OpenEXR holds it."""
    frame = VideoFrame(values.shape[1], values.shape[0], "grayf32le")
    frame.planes[0].update(np.ascontiguousarray(values, np.float32).tobytes())
    return frame


def with_alpha(mask: np.ndarray, seed: int = 1) -> VideoFrame:
    """A coloured picture whose alpha is the mask."""
    colors = np.random.default_rng(seed).integers(0, 256, (*mask.shape, 3), np.uint8)
    return VideoFrame.from_ndarray(np.dstack([colors, mask]), format="rgba")


def write_video(
    path: Path,
    frames: Sequence[VideoFrame],
    codec: str,
    pix_fmt: str,
    *,
    full_range: bool = False,
    times: Sequence[int] | None = None,
) -> Path:
    """A video of masks, nearly without loss, 25 frames a second or at times in ms."""
    with av.open(str(path), "w") as output:
        quality = {"libx264": {"crf": "4"}, "libvpx-vp9": {"crf": "4", "b": "0"}}.get(codec, {})
        video = output.add_stream(codec, rate=Fraction(25), options=quality)
        assert isinstance(video, VideoStream)
        video.width, video.height = frames[0].width, frames[0].height
        video.pix_fmt = pix_fmt
        video.codec_context.time_base = Fraction(1, 1000)
        wanted = "JPEG" if full_range else "MPEG"
        if full_range:
            video.codec_context.color_range = 2
        for number, frame in enumerate(frames):
            made = frame.reformat(format=pix_fmt, dst_color_range=wanted)
            made.pts = times[number] if times is not None else 40 * number
            made.time_base = Fraction(1, 1000)
            output.mux(video.encode(made))
        output.mux(video.encode(None))
        if pix_fmt.startswith("yuva") and codec == "libvpx-vp9":
            assert video.codec_context.pix_fmt == pix_fmt
    return path
