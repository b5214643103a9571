"""What fails when all frames are painted leaves a run from which the film can be made."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from fastvid.errors import EXIT_FAILURE, StorageError
from support.decode_clips import numbered_clip


def test_a_run_whose_last_step_failed_can_be_encoded(
    tmp_path: Path,
    tiny_style: Path,
    run_main: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = numbered_clip(tmp_path / "clip.mp4", 5)

    def fail(*_: object, **__: object) -> list[str]:
        raise StorageError("can't write it")

    monkeypatch.setattr("fastvid.job.outputs.mux", fail)
    output = tmp_path / "out.mp4"
    status, words = run_main(clip, "-o", output, "--style", tiny_style, "--frames", "1:4")
    assert status == EXIT_FAILURE and "can't write it" in words and not output.exists()
    status, words = run_main("encode", tmp_path / "out.h5", "-o", tmp_path / "other.mkv")
    assert status == 0, words
    with av.open(str(tmp_path / "other.mkv")) as container:
        assert len(list(container.decode(video=0))) == 3
