"""A folder of flow and mask files as the scripts of Fast Artistic Videos name them.

Frames count from 1. `backward_5_4.flo` is the flow from frame 5 to frame 4, and `reliable_5_4.pgm`
says where it can be trusted: 255, or 0 where it can't.
"""

import hashlib
import re
import socket
from pathlib import Path

import numpy as np

from fastvid.errors import InputError
from fastvid.motion.flo import read_flo
from fastvid.motion.pgm import read_pgm

RELIABLE_LEVEL = 255
# Masks of other tools may hold levels between; the half that is nearer counts.
_LEAST_RELIABLE_LEVEL = 128

_NAMES = re.compile(r"(?:backward_(\d{1,9})_(\d{1,9})\.flo|reliable_(\d{1,9})_(\d{1,9})\.pgm)")


def flow_name(frame: int) -> str:
    """The name of the flow from a frame, counted from 0, to the one before it."""
    return f"backward_{frame + 1}_{frame}.flo"


def mask_name(frame: int) -> str:
    """The name of the mask of that flow."""
    return f"reliable_{frame + 1}_{frame}.pgm"


class FlowFolder:
    """Reads the files of one film; keeps nothing, so threads may share it.

    Every rank reads for itself: each must see the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def read(self, frame: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Backward flow, (H, W, 2) float32 pixels, and where it is reliable, (H, W) bool.

        frame: the later one of the pair, in the film, counted from 0. Where the flow is unknown it
        is zero and not reliable. Raises InputError that names the file which is missing, damaged,
        or of another size.
        """
        flow_path, mask_path = self._folder / flow_name(frame), self._folder / mask_name(frame)
        for path in (flow_path, mask_path):
            if not path.is_file():
                raise InputError(
                    f"there is no {path}, but frames {frame} and {frame + 1} (counted from 1) are "
                    f"in one shot.\nAdd the file (every rank must see it, here on "
                    f"{socket.gethostname()}), or say with --cuts where shots begin."
                )
        flow, levels = read_flo(flow_path), read_pgm(mask_path)
        for path, array in ((flow_path, flow), (mask_path, levels)):
            if array.shape[:2] != (height, width):
                raise InputError(
                    f"{path} is {array.shape[1]}x{array.shape[0]}, the frames are {width}x{height}:"
                    " compute the flow at the working size, or choose that with --size"
                )
        known = np.isfinite(flow).all(axis=2)
        flow[~known] = 0
        return flow, (levels >= _LEAST_RELIABLE_LEVEL) & known

    def check(self) -> None:
        """Raises InputError unless this rank sees the folder."""
        if not self._folder.is_dir():
            raise InputError(
                f"there is no folder {self._folder} on {socket.gethostname()}: every "
                "rank must be able to read the flow"
            )

    def fingerprint(self) -> str:
        """SHA-256 of the names and contents of all flow and mask files, 64 hex digits.

        Raises InputError if the folder or a file can't be read, or if it holds no flow.
        """
        digest = hashlib.sha256()
        try:
            names = sorted(
                path.name
                for path in self._folder.iterdir()
                if _NAMES.fullmatch(path.name) and path.is_file()
            )
            for name in names:
                with open(self._folder / name, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                digest.update(f"{name} {content}\n".encode("ascii"))
        except OSError as error:
            where = error.filename or self._folder
            raise InputError(f"can't read the flow in {where}: {error.strerror}") from error
        if not any(name.startswith("backward") for name in names):
            raise InputError(f"{self._folder} holds no flow files such as {flow_name(1)}")
        return digest.hexdigest()
