"""What the tests of whole jobs share: small clips and a small style, made once a session."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import job_clips
from support.job_clips import Clip
from support.places import VIDEOS


@pytest.fixture(scope="session", autouse=True)
def end_of_mpi() -> Iterator[None]:
    """Runs in this process have begun MPI, if any test made one: it ends with the last test, and
    its sockets are given back."""
    yield
    lifetime = sys.modules.get("fastvid.parallel.mpi.lifetime")
    if lifetime is not None:
        lifetime.finalize()


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what is generated once."""
    return tmp_path_factory.mktemp("material")


@pytest.fixture(scope="session")
def tiny_style(material: Path) -> Path:
    """A style that paints a small frame in about a millisecond."""
    path = material / "tiny.pt"
    path.write_bytes(job_clips.style_bytes())
    return path


@pytest.fixture(scope="session")
def cut_clip(material: Path) -> Clip:
    """Three shots of 12, 1 and 17 frames, 25 frames a second, with sound."""
    images = job_clips.cut_scenes()
    path = job_clips.write_clip(
        material / "cut.mkv", images, [40 * i for i in range(len(images))], sound=True
    )
    table = material / "cuts.csv"
    table.write_text("".join(f"{cut}\n" for cut in job_clips.CUTS))
    return Clip(path, job_clips.CUTS, str(table), job_clips.CUT_FRAMES)


@pytest.fixture(scope="session")
def uncut_clip(material: Path) -> Clip:
    """One shot of 23 frames at uneven times, without sound."""
    path = job_clips.write_clip(
        material / "uncut.mkv",
        job_clips.uncut_scenes(),
        job_clips.uneven_times(job_clips.UNCUT_FRAMES),
    )
    return Clip(path, (), "none", job_clips.UNCUT_FRAMES)


@pytest.fixture(scope="session")
def sample_videos() -> Path:
    """The folder of sample films beside the repository."""
    if not VIDEOS.is_dir():
        pytest.skip("the sample films are not beside the repository")
    return VIDEOS


@pytest.fixture
def run_main(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command line in this process, which is an MPI job of one rank of its own.

    Returns the exit status and what was written to the error stream, by whatever library.
    """
    from fastvid.__main__ import main

    def run(*arguments: object) -> tuple[int, str]:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, capfd.readouterr().err

    return run
