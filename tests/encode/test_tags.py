"""What a film and its tracks are called, where they were made, and the tracks of cameras."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.container import OutputContainer
from av.stream import Stream

from fastvid.encode.mux import mux
from fastvid.encode.output import plan_output
from support.encode_clips import encode_parts, info_of, moving, write_source

PLACE = "+48.1000+011.5000/"
PHONE = {
    "com.apple.quicktime.location.ISO6709": PLACE,
    "com.apple.quicktime.make": "Maker",
    "com.apple.quicktime.creationdate": "2024-05-06T09:08:09+0200",
}


def with_tags(path: Path, tags: dict[str, str], camera: bool = False) -> Path:
    """A film with named sound, and, if asked for, chapters and a track of a camera's data."""
    plain = write_source(path.with_name(f"plain{path.suffix}"), chapters=camera)
    options = {"movflags": "use_metadata_tags"} if path.suffix in (".mov", ".mp4") else {}
    with av.open(str(plain)) as source, av.open(str(path), "w", container_options=options) as film:
        film.metadata.update(tags)
        film.set_chapters(source.chapters())
        copies = {
            s.index: film.add_stream_from_template(s) for s in source.streams if s.type != "data"
        }
        copies[1].metadata["title"] = "Commentary"
        data = film.add_data_stream("bin_data") if camera else None
        for packet in source.demux():
            if packet.size and packet.stream_index in copies:
                packet.stream = copies[packet.stream_index]
                film.mux(packet)
        if data is not None:
            write_camera_data(film, data)
    return path


def write_camera_data(film: OutputContainer, track: Stream) -> None:
    for number in range(5):
        packet: av.Packet[Stream] = av.Packet(b"DEVC" + struct.pack(">I", number) * 8)
        packet.stream, packet.time_base = track, Fraction(1, 1000)
        packet.pts = packet.dts = 200 * number
        packet.duration = 200
        film.mux(packet)


def painted(
    folder: Path, name: str, source: Path, with_place: bool = True
) -> tuple[Path, list[str]]:
    plan = plan_output(folder / name, info=info_of(64, 48), source=source)
    parts = encode_parts(plan, folder, moving(25), list(range(0, 12800, 512)), 512)
    return plan.path, mux(plan, list(parts), source=source, with_place=with_place)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_what_a_phone_writes_is_kept(tmp_path: Path, ending: str) -> None:
    source = with_tags(tmp_path / "in.mov", PHONE)
    path, notes = painted(tmp_path, f"out.{ending}", source)
    with av.open(str(path)) as film:
        found = {key.lower(): value for key, value in film.metadata.items()}
    assert {key.lower(): value for key, value in PHONE.items()}.items() <= found.items()
    assert notes == []


def test_what_a_container_drops_is_said(tmp_path: Path) -> None:
    source = with_tags(tmp_path / "in.mkv", {"title": "A film", "camera": "Model"})
    path, notes = painted(tmp_path, "out.mp4", source)
    assert any("tags CAMERA are left out: .mp4 can't hold them" in note for note in notes)
    with av.open(str(path)) as film:
        assert film.metadata["title"] == "A film"


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_the_place_is_left_out_on_request(tmp_path: Path, ending: str) -> None:
    source = with_tags(tmp_path / "in.mp4", PHONE | {"location-eng": PLACE}, camera=True)
    path, notes = painted(tmp_path, f"out.{ending}", source, with_place=False)
    assert PLACE.encode() not in path.read_bytes() and b"DEVC" not in path.read_bytes()
    assert b"Maker" in path.read_bytes() and "--no-location" in notes[0]


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("source_ending", ["mp4", "mkv"])
def test_sound_keeps_its_name(tmp_path: Path, ending: str, source_ending: str) -> None:
    source = with_tags(tmp_path / f"in.{source_ending}", {})
    path, _ = painted(tmp_path, f"out.{ending}", source)
    with av.open(str(path)) as film:
        tags = film.streams.audio[0].metadata
        assert tags["title" if ending == "mkv" else "name"] == "Commentary"
        assert "NAME" not in tags


@pytest.mark.parametrize("ending, kept", [("mp4", True), ("mov", True), ("mkv", False)])
def test_a_data_track_beside_chapters_is_kept_or_said(
    tmp_path: Path, ending: str, kept: bool
) -> None:
    source = with_tags(tmp_path / "in.mp4", {}, camera=True)
    path, notes = painted(tmp_path, f"out.{ending}", source)
    assert (path.read_bytes().count(b"DEVC") == 5) == kept
    assert notes == [] if kept else ".mp4 or .mov may" in notes[0]
    with av.open(str(path)) as film:
        assert [chapter["metadata"]["title"] for chapter in film.chapters()] == [
            "Chapter 0",
            "Chapter 1",
        ]
