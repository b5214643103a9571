"""Sources and plain readings of outputs, for the tests of encoding and muxing."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.encode.plan import OutputPlan

AUDIO_RATE = 48000
TICK = Fraction(1, 12800)


@dataclass(frozen=True)
class Stored:
    """A packet as it lies in a file, times in seconds."""

    pts: Fraction
    dts: Fraction | None
    duration: Fraction
    data: bytes


def info_of(
    width: int,
    height: int,
    time_base: Fraction = Fraction(1, 12800),
    rate: Fraction = Fraction(25),
    color: ColorTags = ColorTags(),
) -> VideoInfo:
    return VideoInfo("in.mp4", width, height, time_base, rate, None, color)


def noise(count: int, width: int, height: int, seed: int = 0) -> list[np.ndarray]:
    """(height, width, 3) uint8 images of noise, no two alike."""
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def moving(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Blocks that move a pixel a frame, so that an encoder finds use for B-frames."""
    pattern = np.kron(noise(1, -(-width // 8), -(-height // 8), 5)[0], np.ones((8, 8, 1), np.uint8))
    return [np.roll(pattern[:height, :width], step, axis=1) for step in range(count)]


def encode_parts(
    plan: OutputPlan,
    folder: Path,
    images: Sequence[np.ndarray],
    times: Sequence[int],
    last_duration: int,
    seams: Sequence[int] = (),
) -> list[Path]:
    """Encodes the images, a new part before each frame that `seams` names."""
    parts: list[Path] = []
    encoder = None
    ends = [*times[1:], times[-1] + last_duration]
    for index, (image, pts, end) in enumerate(zip(images, times, ends, strict=True)):
        if encoder is None or index in seams:
            if encoder is not None:
                encoder.close()
            parts.append(folder / f"part-{len(parts)}")
            encoder = open_encoder(plan, parts[-1], threads=1)
        encoder.write(image, pts, end - pts)
    assert encoder is not None
    encoder.close()
    return parts


def packets(path: Path, kind: str, number: int = 0) -> list[Stored]:
    """The packets of one stream by a plain demux, in the order of the file."""
    with av.open(str(path)) as container:
        stream = [stream for stream in container.streams if stream.type == kind][number]
        unit = stream.time_base
        assert unit is not None
        return [
            Stored(
                packet.pts * unit,
                None if packet.dts is None else packet.dts * unit,
                (packet.duration or 0) * unit,
                bytes(packet),
            )
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]


def decoded(path: Path) -> tuple[list[Fraction], list[np.ndarray]]:
    """Times in seconds and RGB images by a plain decode of the first video stream."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return (
            [Fraction((frame.pts or 0) * (frame.time_base or 0)) for frame in frames],
            [frame.to_ndarray(format="rgb24") for frame in frames],
        )


def write_source(
    path: Path,
    *,
    frames: int = 25,
    rate: int = 25,
    seconds: float = 1.0,
    subtitle: str | None = None,
    chapters: bool = False,
    start: Fraction = Fraction(0),
) -> Path:
    """A film with video, AAC sound (with its priming before 0) and, if named, subtitles.

    subtitle: codec, mov_text or subrip; cues of 0.3 s every 0.4 s. start: offset of everything.
    """
    options = {"movie_timescale": "192000", "avoid_negative_ts": "disabled"}
    if path.suffix == ".mkv":
        options.pop("movie_timescale")
    with av.open(str(path), "w", container_options=options) as output:
        output.metadata["title"] = "A film"
        video = output.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        video.width, video.height = 64, 48
        video.codec_context.time_base = Fraction(1, 12800)
        sound = output.add_stream("aac", rate=AUDIO_RATE)
        sound.layout = "stereo"
        sound.metadata["language"] = "deu"
        text = output.add_mux_stream(subtitle) if subtitle else None
        if text is not None:
            text.time_base = Fraction(1, 1000)
            text.metadata["language"] = "fra"
        if chapters:
            output.set_chapters(
                [
                    {
                        "id": number,
                        "start": 500 * number,
                        "end": 500 * (number + 1),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": f"Chapter {number}"},
                    }
                    for number in range(2)
                ]
            )
        _write_sound(output, sound, seconds, start)
        for number, image in enumerate(moving(frames)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (
                int((Fraction(number, rate) + start) * 12800),
                Fraction(1, 12800),
            )
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for number in range(int(seconds / 0.4) if text is not None else 0):
            _write_cue(output, text, subtitle or "", number, start)  # type: ignore[arg-type]
    return path


def _write_sound(
    output: av.container.OutputContainer, sound: av.stream.Stream, seconds: float, start: Fraction
) -> None:
    for number in range(int(seconds * AUDIO_RATE) // 1024):
        wave = np.sin(np.arange(1024) * (0.02 + 0.001 * number)).astype(np.float32) / 2
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
        frame.sample_rate = AUDIO_RATE
        frame.pts, frame.time_base = (
            int(start * AUDIO_RATE) + number * 1024,
            Fraction(1, AUDIO_RATE),
        )
        output.mux(sound.encode(frame))  # type: ignore[attr-defined]
    output.mux(sound.encode(None))  # type: ignore[attr-defined]


def _write_cue(
    output: av.container.OutputContainer,
    text: av.stream.Stream,
    codec: str,
    number: int,
    start: Fraction,
) -> None:
    words = f"cue {number}".encode()
    packet = av.Packet(len(words).to_bytes(2, "big") + words if codec == "mov_text" else words)
    packet.stream, packet.time_base = text, Fraction(1, 1000)
    packet.pts = packet.dts = int(start * 1000) + 400 * number
    packet.duration = 300
    packet.is_keyframe = True
    output.mux(packet)


def muxed(
    folder: Path,
    name: str,
    source: Path | None = None,
    *,
    times: list[int] | None = None,
    span: tuple[int, int] | None = None,
    last: int = 512,
    seams: tuple[int, ...] = (5, 6),
    time_base: Fraction = TICK,
    codec: str | None = None,
) -> tuple[Path, list[str]]:
    """A clip of so many frames at the given times, encoded in parts, with the streams of `source`;
    its path and the notes.

    last: the duration of the last frame. seams: where parts begin.
    """
    times = times if times is not None else list(range(0, 25 * 512, 512))
    plan = plan_output(folder / name, info=info_of(64, 48, time_base), source=source, codec=codec)
    work = folder / "parts"
    work.mkdir(exist_ok=True)
    parts = encode_parts(plan, work, moving(len(times)), times, last, seams)
    return plan.path, mux(plan, list(parts), source=source, span=span)
