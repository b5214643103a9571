"""What a player needs to know of a spherical film survives, whatever it is written into."""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from av.container import InputContainer, OutputContainer

import fastvid
from fastvid.commands.encode import encode_run
from fastvid.decode.film import open_source
from fastvid.decode.sphere_tags import QUARTER, SphereTags
from fastvid.encode.mp4_boxes import TrackBoxes, full_box, put_into_tracks
from fastvid.encode.mux import mux
from fastvid.encode.output import plan_output
from fastvid.encode.sphere_boxes import sphere_boxes
from fastvid.job.progress import Progress
from support.encode_clips import encode_parts, info_of, moving, write_source

DEGREE = 65536
POSE = (30 * DEGREE, -12 * DEGREE, 5 * DEGREE)
LAYOUTS = {
    "mono": SphereTags("equirect", POSE),
    "top-bottom": SphereTags("equirect", POSE, stereo="top-bottom"),
    "left-right": SphereTags("equirect", stereo="left-right"),
    "half": SphereTags("equirect", bounds=(QUARTER, 0, QUARTER, 0), stereo="left-right"),
    "cut": SphereTags("equirect", bounds=(1 << 28, 1 << 27, 1 << 26, 0)),
    "cubemap": SphereTags("cubemap", padding=2),
    "flat, two eyes": SphereTags(stereo="left-right"),
}
OUTPUTS = ["x264.mp4", "x264.mov", "x264.mkv", "vp9.webm", "x265.mkv", "prores.mov", "av1.webm"]
SA3D = full_box(b"SA3D", struct.pack(">BIBI4I", 0, 1, 0, 4, 0, 1, 2, 3))


def film(path: Path, tags: SphereTags | None, v1_only: bool = False) -> Path:
    """A film of 64x48 with sound and these tags: as boxes, or as Matroska has them."""
    plain = write_source(path.with_name(f"plain-{path.stem}.mp4"))
    content = io.BytesIO(plain.read_bytes())
    if tags is not None:
        boxes = sphere_boxes(tags)
        added = TrackBoxes(track=boxes.track) if v1_only else replace(boxes, track=b"")
        assert put_into_tracks(content, {0: added})
    if path.suffix == ".mp4":
        path.write_bytes(content.getvalue())
        return path
    content.seek(0)
    with av.open(content, "r") as source, av.open(str(path), "w") as copy:
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                copy.mux(packet)
    return path


def painted(folder: Path, name: str, source: Path) -> tuple[Path, list[str]]:
    codec, end = name.split(".")
    with open_source(str(source)) as opened:
        info = replace(info_of(64, 48), sphere=opened.info.sphere)
    plan = plan_output(folder / f"out.{end}", info=info, codec=codec, source=source)
    parts = encode_parts(plan, folder, moving(6), list(range(0, 3072, 512)), 512)
    return plan.path, mux(plan, list(parts), source=source)


def tags_of(path: Path) -> SphereTags | None:
    with open_source(str(path)) as source:
        return source.info.sphere


def inner_boxes(content: bytes, *path: bytes) -> Iterator[bytes]:
    """A plain reader of boxes: the contents of all that lie at a path; `stsd` and its entries are
    looked into behind their heads."""
    start = 0
    while start + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, start)
        if size == 1:
            size = struct.unpack_from(">Q", content, start + 8)[0]
        if size < 8:
            return
        inner = content[start + 8 : start + size]
        start += size
        if kind == path[0]:
            head = {b"stsd": 8, b"avc1": 78, b"mp4a": 28}.get(kind, 0)
            yield from inner_boxes(inner[head:], *path[1:]) if len(path) > 1 else [inner]


ENTRY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("source_end", [".mp4", ".mkv"])
def test_every_layout_survives(layout: str, source_end: str, tmp_path: Path) -> None:
    tags = LAYOUTS[layout]
    source = film(tmp_path / f"in{source_end}", tags)
    assert tags_of(source) == tags
    for name in OUTPUTS[:4] if layout == "top-bottom" else OUTPUTS[:3:2]:
        path, notes = painted(tmp_path, name, source)
        assert tags_of(path) == tags and not [note for note in notes if "sphere" in note]
        with av.open(str(path)) as container:
            assert len(list(container.decode(video=0))) == 6


@pytest.mark.parametrize("name", OUTPUTS[4:])
def test_every_codec_has_them(name: str, tmp_path: Path) -> None:
    path, _ = painted(tmp_path, name, film(tmp_path / "in.mp4", LAYOUTS["top-bottom"]))
    assert tags_of(path) == LAYOUTS["top-bottom"]


def test_the_first_form_of_the_tags_is_read(tmp_path: Path) -> None:
    tags = SphereTags("equirect", stereo="top-bottom")
    source = film(tmp_path / "in.mp4", tags, v1_only=True)
    path, _ = painted(tmp_path, "x264.mp4", source)
    assert tags_of(source) == tags_of(path) == tags


def test_the_boxes_are_where_players_look(tmp_path: Path) -> None:
    path, _ = painted(tmp_path, "x264.mp4", film(tmp_path / "in.mkv", LAYOUTS["top-bottom"]))
    content = path.read_bytes()
    (stereo,) = inner_boxes(content, *ENTRY, b"avc1", b"st3d")
    (pose,) = inner_boxes(content, *ENTRY, b"avc1", b"sv3d", b"proj", b"prhd")
    (bounds,) = inner_boxes(content, *ENTRY, b"avc1", b"sv3d", b"proj", b"equi")
    (first_form,) = inner_boxes(content, b"moov", b"trak", b"uuid")
    assert stereo == bytes([0, 0, 0, 0, 1])
    assert struct.unpack(">4x3i", pose) == POSE and bounds == bytes(20)
    assert b"<GSpherical:StereoMode>top-bottom<" in first_form


def test_ambisonic_sound_keeps_its_layout(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", LAYOUTS["mono"])
    content = io.BytesIO(source.read_bytes())
    assert put_into_tracks(content, {1: TrackBoxes(entry=SA3D)})
    source.write_bytes(content.getvalue())
    for name in ("x264.mp4", "x264.mov"):
        path, _ = painted(tmp_path, name, source)
        assert path.read_bytes().count(SA3D) == 1
    (layout,) = inner_boxes((tmp_path / "out.mp4").read_bytes(), *ENTRY, b"mp4a", b"SA3D")
    assert layout == SA3D[8:]
    _, notes = painted(tmp_path, "x264.mkv", source)
    assert [note for note in notes if "SA3D" in note]


@pytest.mark.parametrize("name", ["x264.mp4", "x264.mkv"])
def test_a_flat_film_gets_no_tags(name: str, tmp_path: Path) -> None:
    path, _ = painted(tmp_path, name, film(tmp_path / "in.mp4", None))
    assert tags_of(path) is None
    assert not set(inner_boxes(path.read_bytes(), b"moov", b"trak", b"uuid"))


def test_nothing_moves_that_is_found_by_its_place(tmp_path: Path) -> None:
    """An index in front of the pictures can't grow: the file is left as it is."""
    path = tmp_path / "fast.mp4"
    with (
        av.open(str(write_source(tmp_path / "in.mp4"))) as source,
        av.open(str(path), "w", container_options={"movflags": "faststart"}) as copy,
    ):
        remux_video(source, copy)
    content = io.BytesIO(path.read_bytes())
    assert not put_into_tracks(content, {0: sphere_boxes(LAYOUTS["mono"])})
    assert content.getvalue() == path.read_bytes()


def remux_video(source: InputContainer, copy: OutputContainer) -> None:
    stream = copy.add_stream_from_template(source.streams.video[0])
    for packet in source.demux(source.streams.video[0]):
        if packet.size:
            packet.stream = stream
            copy.mux(packet)


def test_the_run_file_has_them_for_encoding_again(tiny_style: Path, tmp_path: Path) -> None:
    tags = LAYOUTS["top-bottom"]
    fastvid.stylize(
        film(tmp_path / "in.mp4", tags),
        tmp_path / "out.mkv",
        style=str(tiny_style),
        frames=(0, 2),
        threads=1,
        progress="none",
    )
    assert tags_of(tmp_path / "out.mkv") == tags
    assert encoded_again(tmp_path / "out.h5", tmp_path / "again.mp4") == tags


def encoded_again(run: Path, output: Path) -> SphereTags | None:
    encode_run(
        run,
        str(output),
        codec=None,
        crf=None,
        preset=None,
        source=None,
        with_source=True,
        threads=1,
        overwrite=False,
        no_location=False,
        progress=Progress("none"),
    )
    return tags_of(output)
