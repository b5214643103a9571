"""A sound command in a folder of its own, and the ways to spoil it."""

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


def input_of(name: str, content: bytes | str) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.input = place.file(name, content)

    return spoil


def no_input(place: Place) -> None:
    place.input = place.folder / "nowhere.mp4"


def empty_folder(place: Place) -> None:
    place.input = place.folder / "pictures"
    place.input.mkdir()
    place.options += ["--fps", "25"]


def pictures_without_rate(place: Place) -> None:
    empty_folder(place)
    (place.input / "001.png").write_bytes(b"")
    place.options = place.options[:-2]


def audio_only(place: Place) -> None:
    place.input = place.folder / "sound.mka"
    with av.open(str(place.clip)) as source, av.open(str(place.input), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        assert source.streams.video


def zero_frames(place: Place) -> None:
    place.input = place.folder / "empty.mkv"
    with av.open(str(place.input), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "bgr0"
        output.start_encoding()


def cut_short(place: Place) -> None:
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


def cut_short_matroska(place: Place) -> None:
    place.input = place.file("cut.mkv", place.input.read_bytes()[:-40000])


def style_of(make: Callable[[Place], bytes]) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.options += ["--style", place.file("bad.pt", make(place))]

    return spoil


def torch7(place: Place) -> bytes:
    modules = fav_modules(random_weights(FAV_ARCH, FAV_VIDEO), FAV_START_PX)
    return torch7_bytes(checkpoint_of(modules))


def five_channels(place: Place) -> bytes:
    weights = random_weights("c3s1-3", Variant(in_channels=5))
    return torch7_bytes(sequential(conv(weights, "0", padding=1), Lua("nn.Tanh")))


def legacy_bomb(place: Place) -> bytes:
    """A checkpoint of PyTorch before 1.6 whose pickle runs a program."""
    head: tuple[object, ...] = (
        0x1950A86A20F9469CFC6C,
        1001,
        {},
        Bomb(place.folder / "executed"),
        [],
    )
    return b"".join(pickle.dumps(part, protocol=2) for part in head)


def pickle_bomb(place: Place) -> bytes:
    return pickle.dumps(Bomb(place.folder / "executed"))


def archive_bomb(place: Place) -> bytes:
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


def output_at(name: str) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.output = place.folder / name

    return spoil


def output_is_input(place: Place) -> None:
    place.output = place.input


def output_is_linked_input(place: Place) -> None:
    os.link(place.input, place.output)
    place.options += ["--overwrite"]


def output_exists(place: Place) -> None:
    place.output.write_bytes(b"my holidays")


def cut_table(content: bytes | None) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        table = place.folder / "cuts.csv"
        if content is not None:
            table.write_bytes(content)
        place.options += ["--cuts", table]

    return spoil


def with_options(*options: object) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        place.options += options

    return spoil


def run_file(make: Callable[[Place, Path], None], *options: str) -> Callable[[Place], None]:
    def spoil(place: Place) -> None:
        path = place.folder / "run.h5"
        make(place, path)
        place.options += ["--run-file", path, *options]

    return spoil


def foreign_hdf5(place: Place, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["measurements"] = np.arange(10)


def text_file(place: Place, path: Path) -> None:
    path.write_text("my diary")


def run_file_is_input(place: Place) -> None:
    place.options += ["--run-file", place.input]


def flow_folder(place: Place) -> None:
    (place.folder / "flow").mkdir()
    place.options += ["--flow-dir", place.folder / "flow"]


def transport_stream(place: Place) -> None:
    place.input = decode_clips.write_clip(place.folder / "in.ts", job_clips.uncut_scenes())
    place.options += ["--decode", "local"]


def codec_not_in_container(place: Place) -> None:
    place.output = place.output.with_suffix(".webm")
    place.options += ["--codec", "libx264"]
