"""Flow and masks as files of Fast Artistic Videos: names, contents, and what is wrong with them."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastvid.errors import InputError
from fastvid.motion.flo import read_flo, write_flo
from fastvid.motion.flow_folder import FlowFolder
from fastvid.motion.pgm import read_pgm, write_pgm
from support.job_clips import Clip

STATUS_BAD_INPUT = 2
Run = Callable[..., tuple[int, str]]


def a_flow(height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 3, (height, width, 2)).astype(np.float32)


def a_mask(height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(2).choice([0, 255], (height, width)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Flow and mask of the third frame against the second."""
    write_flo(tmp_path / "backward_3_2.flo", a_flow())
    write_pgm(tmp_path / "reliable_3_2.pgm", a_mask())
    return tmp_path


def test_a_mask_is_written_and_read(tmp_path: Path) -> None:
    levels = np.random.default_rng(3).integers(0, 256, (5, 7), np.uint8)
    write_pgm(tmp_path / "a.pgm", levels)
    assert (tmp_path / "a.pgm").read_bytes() == b"P5\n7 5\n255\n" + levels.tobytes()
    assert np.array_equal(read_pgm(tmp_path / "a.pgm"), levels)


def test_a_mask_with_a_comment_is_read(tmp_path: Path) -> None:
    """As the consistency checker writes it; the first level is a line break."""
    (tmp_path / "a.pgm").write_bytes(b"P5 # made by\n# a tool\n3\t2\r255\n\n23456")
    assert read_pgm(tmp_path / "a.pgm").tolist() == [[10, 50, 51], [52, 53, 54]]


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "no binary PGM"),
        (b"P2\n2 2\n255\n1 2 3 4", "no binary PGM"),
        (b"P5\n2 2\n", "no binary PGM"),
        (b"P5\n2 2\n65535\n12345678", "largest level is 65535"),
        (b"P5\n2 2\n255\n123", "take 4 bytes, but the file has 3"),
        (b"P5\n2 2\n255\n12345", "take 4 bytes, but the file has 5"),
        (b"P5\n99999 99999\n255\n123", "outside 1..65535"),
        (b"P5\n0 2\n255\n", "outside 1..65535"),
        (b"P5\n60000 60000\n255\n123", "but the file has 3"),
    ],
)
def test_a_bad_mask_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.pgm"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"bad.pgm.*{reason}"):
        read_pgm(path)
    with pytest.raises(InputError, match=r"no.pgm"):
        read_pgm(tmp_path / "no.pgm")


def test_frames_count_from_one_and_point_back(folder: Path) -> None:
    """The flow of frame 2, counted from 0, is that from the third frame to the second."""
    flow, reliable = FlowFolder(folder).read(2, 5, 7)
    assert np.array_equal(flow, a_flow())
    assert reliable.dtype == bool and np.array_equal(reliable, a_mask() == 255)


def test_unknown_flow_is_not_reliable(folder: Path) -> None:
    flow = a_flow()
    flow[1, 2] = 2e9
    write_flo(folder / "backward_3_2.flo", flow)
    write_pgm(folder / "reliable_3_2.pgm", np.full((5, 7), 255, np.uint8))
    read, reliable = FlowFolder(folder).read(2, 5, 7)
    assert np.argwhere(~reliable).tolist() == [[1, 2]] and (read[1, 2] == 0).all()


@pytest.mark.parametrize("name", ["backward_3_2.flo", "reliable_3_2.pgm"])
def test_a_file_that_is_missing_or_cut_off_is_named(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    for length in (0, 3, 11, len(data) // 2, len(data) - 1):
        (folder / name).write_bytes(data[:length])
        with pytest.raises(InputError, match=name):
            FlowFolder(folder).read(2, 5, 7)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"no .*{name}.*frames 2 and 3.*\n.*[Ee]very rank"):
        FlowFolder(folder).read(2, 5, 7)


def test_another_size_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"backward_3_2.flo is 7x5, the frames are 8x5"):
        FlowFolder(folder).read(2, 5, 8)
    write_pgm(folder / "reliable_3_2.pgm", a_mask(5, 6))
    with pytest.raises(InputError, match=r"reliable_3_2.pgm is 6x5, the frames are 7x5"):
        FlowFolder(folder).read(2, 5, 7)


def test_the_fingerprint_is_that_of_flow_and_masks(folder: Path) -> None:
    before = FlowFolder(folder).fingerprint()
    (folder / "forward_2_3.flo").write_bytes(b"does not matter")
    (folder / "notes.txt").write_text("neither does this")
    assert FlowFolder(folder).fingerprint() == before
    for name in ("backward_3_2.flo", "reliable_3_2.pgm"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert FlowFolder(folder).fingerprint() != before
        (folder / name).write_bytes(data)
    assert FlowFolder(folder).fingerprint() == before
    (folder / "reliable_3_2.pgm").rename(folder / "reliable_4_3.pgm")
    assert FlowFolder(folder).fingerprint() != before


def test_a_folder_without_flow_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no flow files such as backward_2_1.flo"):
        FlowFolder(tmp_path).fingerprint()
    with pytest.raises(InputError, match="nowhere"):
        FlowFolder(tmp_path / "nowhere").fingerprint()


@pytest.fixture(scope="module")
def kept_run(cut_clip: Clip, tiny_style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of frames 5 to 19, with flow and masks; cuts count from the first of them."""
    from fastvid.__main__ import main

    folder = tmp_path_factory.mktemp("kept")
    status = main(
        [
            str(part)
            for part in (
                cut_clip.path,
                "-o",
                folder / "out.mkv",
                "--style",
                tiny_style,
                "--cuts",
                cut_clip.cuts_option,
                "--threads",
                "1",
                "--frames",
                "5:20",
                "--keep",
                "flow,occlusion",
            )
        ]
    )
    assert status == 0
    return folder / "out.h5"


def test_a_run_is_exported(kept_run: Path, tmp_path: Path, run_main: Run, cut_clip: Clip) -> None:
    folder = tmp_path / "flow"
    assert run_main("export-flow", kept_run, "-o", folder) == (0, "")
    later = [frame for frame in range(6, 20) if frame - 5 not in cut_clip.cuts]
    names = {f"backward_{frame + 1}_{frame}.flo" for frame in later}
    names |= {f"reliable_{frame + 1}_{frame}.pgm" for frame in later}
    assert {path.name for path in folder.iterdir()} == names
    with h5py.File(kept_run) as run:
        for frame in later:
            flow = read_flo(folder / f"backward_{frame + 1}_{frame}.flo")
            assert np.array_equal(flow, run["flow/backward"][frame - 5])
            levels = read_pgm(folder / f"reliable_{frame + 1}_{frame}.pgm")
            assert np.array_equal(levels, 255 * (1 - run["occlusion"][frame - 5]))
            assert (levels == 255).mean() > 0
    status, message = run_main("export-flow", kept_run, "-o", folder)
    assert status == STATUS_BAD_INPUT and "backward_7_6.flo exists already" in message
    assert run_main("export-flow", kept_run, "-o", folder, "--overwrite")[0] == 0


def test_what_was_not_kept_can_not_be_exported(
    kept_run: Path, tmp_path: Path, run_main: Run
) -> None:
    bare = tmp_path / "bare.h5"
    bare.write_bytes(kept_run.read_bytes())
    with h5py.File(bare, "a") as run:
        del run["flow"], run["occlusion"]
    status, message = run_main("export-flow", bare, "-o", tmp_path / "flow")
    assert status == STATUS_BAD_INPUT and "--keep flow,occlusion" in message
    with h5py.File(bare, "a") as run:
        run["occlusion"] = np.zeros((3, 2))
    status, message = run_main("export-flow", bare, "-o", tmp_path / "flow")
    assert status == STATUS_BAD_INPUT and "damaged" in message and "occlusion" in message
    status, message = run_main("export-flow", kept_run, "-o", kept_run)
    assert status == STATUS_BAD_INPUT and "is a file" in message
    assert not (tmp_path / "flow").exists()
