"""Bad input of every kind: how to spoil a sound command, and what the message has to hold."""

import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av
import h5py
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from fastvid.style.variant import Variant
from support import decode_clips, job_clips
from support.original_networks import FAV_ARCH, FAV_START_PX, FAV_VIDEO, random_weights
from support.torch7_files import Lua, checkpoint_of, conv, fav_modules, sequential, torch7_bytes


@dataclass
class Place:
    """A folder with sound material, which a case may spoil. The command that works is
    `fastvid INPUT -o OUTPUT *OPTIONS`."""

    folder: Path
    clip: Path
    style: Path
    input: Path = field(init=False)
    output: Path = field(init=False)
    options: list[object] = field(init=False)

    def __post_init__(self) -> None:
        self.input = self.folder / "in.mkv"
        shutil.copy(self.clip, self.input)
        (self.folder / "results").mkdir()
        self.output = self.folder / "results" / "out.mkv"
        self.options = ["--style", self.style, "--cuts", "none", "--threads", "1"]

    def file(self, name: str, content: bytes | str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def command(self) -> list[object]:
        return [self.input, "-o", self.output, *self.options]

    def contents(self) -> dict[str, bytes | None]:
        """Every file and folder there, with the files' contents."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
        }


class Bomb:
    """Unpickling it touches a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.target}",)


def _input(name: str, content: bytes | str) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.input = place.file(name, content)

    return spoil


def _no_input(place: Place) -> None:
    place.input = place.folder / "nowhere.mp4"


def _empty_folder(place: Place) -> None:
    place.input = place.folder / "pictures"
    place.input.mkdir()
    place.options += ["--fps", "25"]


def _pictures_without_rate(place: Place) -> None:
    _empty_folder(place)
    (place.input / "001.png").write_bytes(b"")
    place.options = place.options[:-2]


def _audio_only(place: Place) -> None:
    place.input = place.folder / "sound.mka"
    with av.open(str(place.clip)) as source, av.open(str(place.input), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        assert source.streams.video


def _zero_frames(place: Place) -> None:
    place.input = place.folder / "empty.mkv"
    with av.open(str(place.input), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "bgr0"
        output.start_encoding()


def _cut_short(place: Place) -> None:
    whole = place.folder / "whole.mp4"
    job_clips.write_clip(
        whole,
        job_clips.uncut_scenes(),
        job_clips.uneven_times(job_clips.UNCUT_FRAMES),
        codec="libx264",
    )
    data = whole.read_bytes()
    whole.unlink()
    place.input = place.file("in.mp4", data[: len(data) * 2 // 3])


def _cut_short_matroska(place: Place) -> None:
    place.input = place.file("cut.mkv", place.input.read_bytes()[:-40000])


def _style(make: Callable[[Place], bytes]) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.options += ["--style", place.file("bad.pt", make(place))]

    return spoil


def _torch7(place: Place) -> bytes:
    modules = fav_modules(random_weights(FAV_ARCH, FAV_VIDEO), FAV_START_PX)
    return torch7_bytes(checkpoint_of(modules))


def _five_channels(place: Place) -> bytes:
    weights = random_weights("c3s1-3", Variant(in_channels=5))
    return torch7_bytes(sequential(conv(weights, "0", padding=1), Lua("nn.Tanh")))


def _legacy_bomb(place: Place) -> bytes:
    """A checkpoint of PyTorch before 1.6 whose pickle runs a program."""
    head: tuple[object, ...] = (
        0x1950A86A20F9469CFC6C,
        1001,
        {},
        Bomb(place.folder / "executed"),
        [],
    )
    return b"".join(pickle.dumps(part, protocol=2) for part in head)


def _pickle_bomb(place: Place) -> bytes:
    return pickle.dumps(Bomb(place.folder / "executed"))


def _archive_bomb(place: Place) -> bytes:
    """A torch archive whose pickle runs a program."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(place.style.read_bytes())) as old,
        zipfile.ZipFile(buffer, "w") as new,
    ):
        for entry in old.infolist():
            spoiled = entry.filename.endswith("data.pkl")
            new.writestr(
                entry.filename,
                pickle.dumps(Bomb(place.folder / "executed"), protocol=2)
                if spoiled
                else old.read(entry),
            )
    return buffer.getvalue()


def _output(name: str) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.output = place.folder / name

    return spoil


def _output_is_input(place: Place) -> None:
    place.output = place.input


def _output_is_linked_input(place: Place) -> None:
    os.link(place.input, place.output)
    place.options += ["--overwrite"]


def _output_exists(place: Place) -> None:
    place.output.write_bytes(b"my holidays")


def _cuts(content: bytes | None) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        table = place.folder / "cuts.csv"
        if content is not None:
            table.write_bytes(content)
        place.options += ["--cuts", table]

    return spoil


def _options(*options: object) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.options += options

    return spoil


def _run_file(make: Callable[[Place, Path], None], *options: str) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        path = place.folder / "run.h5"
        make(place, path)
        place.options += ["--run-file", path, *options]

    return spoil


def _foreign_hdf5(place: Place, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["measurements"] = np.arange(10)


def _text(place: Place, path: Path) -> None:
    path.write_text("my diary")


def _run_file_is_input(place: Place) -> None:
    place.options += ["--run-file", place.input]


def _flow_folder(place: Place) -> None:
    (place.folder / "flow").mkdir()
    place.options += ["--flow-dir", place.folder / "flow"]


def _transport_stream(place: Place) -> None:
    place.input = decode_clips.write_clip(place.folder / "in.ts", job_clips.uncut_scenes())
    place.options += ["--decode", "local"]


def _codec_not_in_container(place: Place) -> None:
    place.output = place.output.with_suffix(".webm")
    place.options += ["--codec", "libx264"]


# What is wrong, and words that the message has to hold: the thing, and a way out.
CASES: dict[str, tuple[Callable[[Place], None], list[str]]] = {
    "no such file": (_no_input, ["nowhere.mp4"]),
    "text for a video": (_input("in.mp4", "this is no video\n" * 50), ["in.mp4"]),
    "empty file": (_input("in.mp4", b""), ["in.mp4"]),
    "random bytes": (_input("in.mkv", np.random.default_rng(1).bytes(20000)), ["in.mkv"]),
    "folder without images": (_empty_folder, ["pictures"]),
    "images without a rate": (_pictures_without_rate, ["--fps"]),
    "rate for a video": (_options("--fps", "25"), ["--fps"]),
    "sound only": (_audio_only, ["sound.mka", "video"]),
    "zero frames": (_zero_frames, ["empty.mkv"]),
    "cut-off MP4": (_cut_short, ["in.mp4"]),
    "cut-off Matroska": (_cut_short_matroska, ["cut.mkv", "--on-error keep-going"]),
    "unknown style": (_options("--style", "stary_nihgt"), ["stary_nihgt", "starry_night"]),
    "no such checkpoint": (_options("--style", "/no/such.pt"), ["/no/such.pt"]),
    "text for a style": (_style(lambda place: b"a style"), ["bad.pt"]),
    "cut-off style": (_style(lambda place: place.style.read_bytes()[:-3000]), ["bad.pt"]),
    "style that is a program": (_style(_pickle_bomb), ["bad.pt"]),
    "style archive that is a program": (_style(_archive_bomb), ["bad.pt", "refused"]),
    "old style archive that is a program": (_style(_legacy_bomb), ["bad.pt", "refused"]),
    "cut-off Torch7 model": (_style(lambda place: _torch7(place)[:-900]), ["bad.pt", "cut off"]),
    "Torch7 model with an unknown layer": (
        _style(lambda place: _torch7(place).replace(b"nn.Tanh", b"nn.Sine")),
        ["bad.pt", "'nn.Sine'"],
    ),
    "Torch7 model of five channels": (_style(_five_channels), ["bad.pt", "5 channels"]),
    "no such output folder": (_output("missing/out.mkv"), ["missing", "mkdir"]),
    "output in a file": (_output("in.mkv/out.mkv"), ["in.mkv"]),
    "unknown container": (_output("results/out.xyz"), [".xyz", ".mp4"]),
    "output without extension": (_output("results/out"), ["out", ".mp4"]),
    "output is input": (_output_is_input, ["in.mkv", "-o"]),
    "output is a link to the input": (_output_is_linked_input, ["in.mkv", "-o"]),
    "output exists": (_output_exists, ["out.mkv", "--overwrite"]),
    "frames beyond the end": (_options("--frames", "10:99"), ["10:99", "23 frames"]),
    "frames behind the end": (_options("--frames", "23:"), ["23:", "23 frames"]),
    "frames backwards": (_options("--frames", "9:5"), ["9:5"]),
    "no frames": (_options("--frames", "5:5"), ["5:5"]),
    "frames nonsense": (_options("--frames", "some"), ["--frames", "some"]),
    "cuts nonsense": (_cuts(b"3\nx\n"), ["cuts.csv", "line 2"]),
    "cuts missing": (_cuts(None), ["cuts.csv", "--cuts takes"]),
    "cuts binary": (_cuts(b"\xff\x00\xfe" * 10), ["cuts.csv", "not text"]),
    "cuts beyond the end": (_cuts(b"3\n500\n"), ["500", "last frame is 22"]),
    "size nonsense": (_options("--size", "large"), ["--size", "large"]),
    "size zero": (_options("--size", "0x0"), ["0x0"]),
    "size of two unknowns": (_options("--size=-1x-1"), ["-1x-1"]),
    "size too big for memory": (_options("--size", "16000x8000"), ["16000x8000", "--size"]),
    "size beyond all limits": (_options("--size", "30000x22500"), ["30000x22500", "16384"]),
    "size absurd": (_options("--size", "99999999x9"), ["99999999x9"]),
    "unknown flow": (_options("--flow", "magic"), ["magic", "dis-medium"]),
    "flow scale": (_options("--flow-scale", "2"), ["--flow-scale 2"]),
    "no such flow folder": (_options("--flow-dir", "/no/flow"), ["/no/flow"]),
    "flow folder without flow": (_flow_folder, ["flow", "backward_2_1.flo"]),
    "flow folder and a flow method": (
        _options("--flow-dir", "/no/flow", "--flow", "deepflow"),
        ["--flow-dir", "--flow"],
    ),
    "every rank is to read a format without an index": (
        _transport_stream,
        ["--decode local", "in.ts", "--decode rank0"],
    ),
    "strength": (_options("--strength", "1.2"), ["--strength 1.2"]),
    "strength not a number": (_options("--strength", "nan"), ["--strength", "nan"]),
    "strength no number": (_options("--strength", "much"), ["--strength", "much"]),
    "temporal strength": (_options("--temporal-strength", "1"), ["1"]),
    "temporal strength negative": (_options("--temporal-strength=-0.5"), ["-0.5"]),
    "temporal strength infinite": (_options("--temporal-strength", "inf"), ["inf"]),
    "unknown codec": (_options("--codec", "magic"), ["magic", "libx264"]),
    "codec not in the container": (_codec_not_in_container, ["libx264", ".webm"]),
    "unknown preset": (_options("--preset", "warp"), ["warp", "medium"]),
    "preset of a codec without": (_options("--codec", "ffv1", "--preset", "fast"), ["ffv1"]),
    "crf out of range": (_options("--crf", "99"), ["99", "51"]),
    "keep unknown": (_options("--keep", "gate"), ["gate", "flow"]),
    "run file of somebody else": (_run_file(_foreign_hdf5), ["run.h5", "not a run file"]),
    "run file of somebody else, restart": (
        _run_file(_foreign_hdf5, "--restart"),
        ["run.h5", "not a run file", "not replaced"],
    ),
    "run file is text": (_run_file(_text), ["run.h5"]),
    "run file is text, restart": (_run_file(_text, "--restart"), ["run.h5", "not replaced"]),
    "run file is a folder": (_run_file(lambda place, path: path.mkdir()), ["run.h5", "folder"]),
    "run file is the input": (_run_file_is_input, ["in.mkv", "--run-file"]),
    "run file is the output": (_output("results/out.h5"), [".h5"]),
    "run file without folder": (_options("--run-file", "/no/such/run.h5"), ["/no/such"]),
    "threads zero": (_options("--threads", "0"), ["--threads 0"]),
    "segments of nothing": (_options("--segment-length", "0"), ["--segment-length 0"]),
    "time limit": (_options("--time-limit", "0"), ["--time-limit"]),
    "unknown option": (_options("--colour"), ["--colour", "--help"]),
    "two inputs": (_options("another.mp4"), ["another.mp4"]),
}
