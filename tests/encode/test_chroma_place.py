"""Where colour stands that is stored for two pixels: at the left one, but for JPEG and MPEG-1."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from fastvid.decode.film import open_source
from fastvid.decode.frame import ColorTags
from fastvid.encode.color import FrameConverter
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from support.decode_clips import yuv_frame
from support.encode_clips import info_of

WIDTH, HEIGHT, COLUMN = 64, 32, 16


def middle(row: np.ndarray) -> float:
    """Where the one coloured place of a row is, in its samples."""
    weight = np.abs(row.astype(float) - row[0])
    weight[weight < 6] = 0
    return float((weight * np.arange(len(row))).sum() / weight.sum())


@pytest.mark.parametrize(
    "name, codec, pix_fmt, place",
    [
        ("a.mp4", "libx264", "yuv420p", 0.0),
        ("b.mkv", "ffv1", "yuv422p", 0.0),
        ("c.mpg", "mpeg2video", "yuv420p", 0.0),
        ("d.mpg", "mpeg1video", "yuv420p", 0.5),
        ("e.avi", "mjpeg", "yuvj420p", 0.5),
    ],
)
def test_decoded_colour_stands_where_the_codec_has_it(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, place: float
) -> None:
    red = np.full((HEIGHT // (1 if "422" in pix_fmt else 2), WIDTH // 2), 128, np.uint8)
    red[:, COLUMN] = 220
    picture = yuv_frame(
        [np.full((HEIGHT, WIDTH), 90, np.uint8), np.full_like(red, 128), red], pix_fmt
    )
    path = tmp_path / name
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.options = {"qp": "0"} if codec == "libx264" else {"qmin": "1", "q": "1"}
        output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    with open_source(str(path)) as film:
        (frame,) = film
    found = middle(frame.image[HEIGHT // 2, :, 0])
    assert abs(found - (2 * COLUMN + place)) < 0.26


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_encoded_colour_stands_at_the_left_pixel(pix_fmt: str) -> None:
    """A line of colour of one pixel is in one sample if it is where that sample stands, and evenly
    in two if it is between them."""
    convert = FrameConverter(WIDTH, HEIGHT, pix_fmt, ColorTags(2, 2, 1, False), threads=1)
    shares = []
    for column in (2 * COLUMN, 2 * COLUMN + 1):
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        image[:, column, 0] = 220
        plane = convert(image).planes[2]
        kind = np.uint16 if "10" in pix_fmt else np.uint8
        row = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)[plane.height // 2]
        row = row[: WIDTH // 2].astype(int) - int(row[0])
        shares.append((row[COLUMN], row[COLUMN + 1]))
    assert shares[0][0] > 4 * abs(shares[0][1])
    assert abs(shares[1][0] - shares[1][1]) <= 2


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
def test_the_output_says_where_colour_stands(tmp_path: Path, codec: str) -> None:
    """Matroska has it from the codec: ChromaSitingHorz 1 (RFC 9559, 5.1.4.1.28.30), left."""
    plan = plan_output(tmp_path / "out.mkv", info=info_of(WIDTH, HEIGHT), codec=codec)
    encoder = open_encoder(plan, tmp_path / "part")
    encoder.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0, 1)
    encoder.close()
    mux(plan, [tmp_path / "part"])
    assert b"\x55\xb7\x81\x01" in plan.path.read_bytes()
