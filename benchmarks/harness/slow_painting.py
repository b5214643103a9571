"""The program as it is, with a pause before every frame that it paints: so that a short clip takes
a while on a machine whose cores have something else to do.

python slow_painting.py PAUSE_S ARGUMENTS
"""

import sys
import time
from unittest import mock

import numpy as np

from fastvid.__main__ import run
from fastvid.stages.repaint import Repaint

_paint = Repaint.paint


def _paint_later(self: Repaint, frame: np.ndarray) -> np.ndarray:
    time.sleep(_PAUSE_S)
    return _paint(self, frame)


if __name__ == "__main__":
    _PAUSE_S = float(sys.argv.pop(1))
    with mock.patch.object(Repaint, "paint", _paint_later):
        run()
