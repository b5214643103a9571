"""The finished file as a whole: complete or not there, whatever happens meanwhile."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import av
import pytest
from av.container import OutputContainer
from av.stream import Stream

from fastvid.encode.mux import mux
from fastvid.encode.output import plan_output
from fastvid.encode.side_streams import add_copies
from fastvid.errors import StorageError
from support.encode_clips import (
    decoded,
    encode_parts,
    info_of,
    moving,
    muxed,
    packets,
    write_source,
)
from support.places import REPOSITORY, TESTS


def test_a_stream_that_the_muxer_breaks_off_over_does_not_cost_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "in.mp4", subtitle="mov_text")

    def refuse_subtitles(
        output: OutputContainer, streams: list[Stream], *_: bool
    ) -> dict[int, Stream]:
        if any(stream.type == "subtitle" for stream in streams):
            raise av.ArgumentError(22, "Invalid argument")
        return add_copies(output, streams)

    monkeypatch.setattr("fastvid.encode.container.add_copies", refuse_subtitles)
    path, notes = muxed(tmp_path, "out.mp4", source)
    assert len(decoded(path)[0]) == 25
    assert packets(path, "audio") == packets(source, "audio")
    assert len(notes) == 1 and "subtitle" in notes[0]
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4", "parts"]


def test_a_damaged_source_gives_its_sound_up_to_the_damage(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in.mkv", frames=100, seconds=4)
    expected = packets(source, "audio")
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    path, _ = muxed(tmp_path, "out.mkv", source, times=list(range(0, 51200, 512)))
    got = packets(path, "audio")
    assert 20 < len(got) < len(expected)
    assert [packet.data for packet in got] == [packet.data for packet in expected[: len(got)]]
    assert len(decoded(path)[0]) == 100


def test_the_old_output_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path, _ = muxed(tmp_path, "out.mp4")
    before = path.read_bytes()
    plan = plan_output(path, info=info_of(64, 48))
    (part,) = encode_parts(plan, tmp_path / "parts", moving(3), range(3), 1)
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(StorageError):
        mux(plan, [part])
    with pytest.raises(StorageError, match="can't read"):
        mux(plan, [tmp_path / "nothing"])
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["out.mp4", "parts"]


_FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.encode_clips import encode_parts, info_of, noise
from fastvid.errors import StorageError
from fastvid.encode.output import plan_output
from fastvid.encode.mux import mux
from fastvid.encode.side_streams import add_copies
folder = Path({folder!r})
plan = plan_output(folder / "out.mkv", info=info_of(64, 48), codec="ffv1")
parts = encode_parts(plan, folder, noise(20, 64, 48), range(20), 1)
for limit, what in ((60000, mux), (30000, None), (200, None)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        if what:
            mux(plan, parts)
        else:
            encode_parts(plan, folder / "more", noise(20, 64, 48), range(20), 1)
    except StorageError as error:
        print(error)
    else:
        sys.exit("no error")
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no file size limit here")
def test_a_disk_that_takes_no_more_is_one_clear_error(tmp_path: Path) -> None:
    """With a limit on the size of files, which fails like a full disk."""
    (tmp_path / "more").mkdir()
    script = _FULL_DISK.format(tests=str(TESTS), folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(
        "File too large; the file system or a limit" in line for line in lines
    )
    assert f"can't write {tmp_path}/" in lines[0]
    assert sorted(os.listdir(tmp_path)) == ["more", "part-0"]
    assert os.listdir(tmp_path / "more") == []


def test_nothing_is_printed_by_the_encoders(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_source(tmp_path / "in.mp4")
    capfd.readouterr()
    for name, codec in (
        ("a.mp4", "libx264"),
        ("b.mp4", "libx265"),
        ("c.mp4", "libsvtav1"),
        ("d.webm", "libvpx-vp9"),
        ("e.mov", "prores"),
        ("f.mkv", "ffv1"),
    ):
        muxed(tmp_path, name, source, codec=codec)
    assert capfd.readouterr() == ("", "")
