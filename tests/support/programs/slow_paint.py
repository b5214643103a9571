"""fastvid with a pause before every frame that it paints, so that a test can step in meanwhile.

    FASTVID_TEST_PAUSE=FILE python slow_paint.py ARGUMENTS     # FILE holds the seconds

Without the file there is no pause. The result is the same.
"""

import contextlib
import os
import time
from pathlib import Path
from unittest import mock

import numpy as np

from fastvid.__main__ import run
from fastvid.stages.repaint import Repaint

_paint = Repaint.paint


def _paint_later(self: Repaint, frame: np.ndarray) -> np.ndarray:
    with contextlib.suppress(FileNotFoundError):  # without the file the test is in a hurry
        time.sleep(float(Path(os.environ["FASTVID_TEST_PAUSE"]).read_text()))
    return _paint(self, frame)


if __name__ == "__main__":
    with mock.patch.object(Repaint, "paint", _paint_later):
        run()
