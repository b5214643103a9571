"""What fails when all frames are painted leaves a run from which the film can be made."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from fastvid.errors import EXIT_BAD_INPUT, EXIT_FAILURE, StorageError
from support.decode_clips import numbered_clip


@pytest.fixture
def failed_run(
    tmp_path: Path,
    tiny_style: Path,
    run_main: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Path]:
    """Runs with these options, up to the last step, which fails; returns the run file."""

    def fail(*_: object, **__: object) -> list[str]:
        raise StorageError("can't write it")

    def run(*more: object) -> Path:
        clip = numbered_clip(tmp_path / "clip.mp4", 5)
        output = tmp_path / "out.mp4"
        with monkeypatch.context() as patch:
            patch.setattr("fastvid.job.outputs.mux", fail)
            status, words = run_main(clip, "-o", output, "--style", tiny_style, *more)
        assert status == EXIT_FAILURE and "can't write it" in words and not output.exists()
        return tmp_path / "out.h5"

    return run


@pytest.mark.parametrize("more", [[], ["--discard-frames"]])
def test_a_run_whose_last_step_failed_can_be_encoded(
    more: list[str],
    failed_run: Callable[..., Path],
    run_main: Callable[..., tuple[int, str]],
    tmp_path: Path,
) -> None:
    run_path = failed_run("--frames", "1:4", *more)
    status, words = run_main("encode", run_path, "-o", tmp_path / "other.mkv")
    assert status == 0, words
    with av.open(str(tmp_path / "other.mkv")) as container:
        assert len(list(container.decode(video=0))) == 3


def test_freed_frames_can_not_be_encoded_otherwise(
    failed_run: Callable[..., Path], run_main: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """What is left of them are the parts of the video, which stay for the run as well."""
    run_path, parts = failed_run("--discard-frames"), tmp_path / ".out.mp4.parts"
    status, words = run_main("encode", run_path, "-o", tmp_path / "other.mkv", "--crf", "30")
    assert status == EXIT_BAD_INPUT and "libx264, crf 18" in words
    status, words = run_main("encode", run_path, "-o", f"{tmp_path}/images/")
    assert status == EXIT_BAD_INPUT and "folder of images" in words
    # Another run's parts are no one's frames.
    label = parts / "settings"
    label.write_text(label.read_text().replace("run ", "run f", 1))
    status, words = run_main("encode", run_path, "-o", tmp_path / "other.mkv")
    assert status == EXIT_BAD_INPUT and "has no frames any more" in words
