"""fastvid on ranks of which one sees another input:  own_eyes.py RANK WHAT ARGUMENTS...

`--decode auto` is for few ranks, too. WHAT: "nothing", "other" (another file under the same name),
"none" (no such file), "late" (says nothing), or "drift" (decodes other pixels, as another library
might; every rank then takes its time to paint, so that all get something to do).
"""

import os
import sys
import time
from unittest import mock

import numpy as np

from fastvid.__main__ import run
from fastvid.decode import random_access
from fastvid.job import decoding
from fastvid.parallel import same_input
from fastvid.parallel.mpi.launch import launched_rank
from fastvid.stages.repaint import Repaint

_PATIENT_S = 8.0
_PAINT_S = 0.1


def _missing(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def _late(path: str) -> str:
    time.sleep(_PATIENT_S)
    return ""


def _drift(reader: random_access.FilmReader, start: int, stop: int) -> list[np.ndarray]:
    return [image ^ np.uint8(1) for image in _read(reader, start, stop)]


def _paint_slowly(stages: Repaint, frame: np.ndarray) -> np.ndarray:
    time.sleep(_PAINT_S)
    return _paint(stages, frame)


_paint = Repaint.paint
_read = random_access.FilmReader.read
_EYES = {"other": lambda path: "another", "none": _missing, "late": _late}


if __name__ == "__main__":
    rank, what = sys.argv[1:3]
    del sys.argv[1:3]
    if what == "drift":
        mock.patch.object(Repaint, "paint", _paint_slowly).start()
    mock.patch.object(decoding, "_COMPUTING_DECODES", 0.0).start()
    if launched_rank(os.environ) == int(rank) and what != "nothing":
        if what == "drift":
            mock.patch.object(random_access.FilmReader, "read", _drift).start()
        else:
            mock.patch.object(same_input, "sample_fingerprint", _EYES[what]).start()
    run()
