"""A recurrent model."""

from pathlib import Path

import pytest

from support import job_clips


@pytest.fixture(scope="session")
def model_path(material: Path) -> Path:
    path = material / "recurrent.pt"
    path.write_bytes(job_clips.recurrent_bytes())
    return path
