"""Films for ranks that read their own frames."""

from pathlib import Path
from typing import Any

import cv2
import pytest

from support import decode_clips, job_clips
from support.own_decoding import COUNT


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots with B frames at uneven times: with one key frame, with many, and otherwise."""
    folder = tmp_path_factory.mktemp("inputs")
    images = [job_clips.scene(7 + 5 * (i >= 20), i) for i in range(COUNT)]
    times: dict[str, Any] = {
        "times": job_clips.uneven_times(COUNT),
        "time_base": job_clips.TIME_BASE,
    }
    for name, group in (("long.mp4", "250"), ("short.mkv", "6")):
        decode_clips.write_clip(
            folder / name,
            images,
            options={"qp": "18", "bf": "3", "g": group, "sc_threshold": "0"},
            **times,
        )
    decode_clips.write_clip(folder / "unfit.ts", images)
    (folder / "images").mkdir()
    for number, image in enumerate(images):
        assert cv2.imwrite(str(folder / "images" / f"{number:04}.png"), image)
    (folder / "cuts.csv").write_text("20\n")
    return folder
