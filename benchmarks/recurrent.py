"""A recurrent model on an emulated cluster: its stages sleep for what the network costs."""

from pathlib import Path

import numpy as np

from emulation import SleepingStages
from fastvid.stages.interface import Motion

_ARCH = "c3s1-4,c3s1-3"
_CHANNELS = 7


class SleepingRecurrent(SleepingStages):
    """As `SleepingStages`, with the network in the temporal pass, where it costs `temporal`.

    No past is ever forgotten (frames are added up, modulo 256): every seam of two stretches is
    recomputed to the last frame that it may be.
    """

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame itself."""
        return frame

    def begin(self, frame: np.ndarray) -> np.ndarray:
        """The negative of the frame, for the costs of the network."""
        self._compute(self._seconds.temporal)
        return np.bitwise_not(frame)[None]

    def carry(self, difference: np.ndarray, motion: Motion[None]) -> np.ndarray:
        """Nothing moves."""
        return difference

    def temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[None]
    ) -> float:
        """The same for all frames."""
        return 1.0

    def _mix(self, painted: np.ndarray, previous: np.ndarray) -> np.ndarray:
        return painted[None] + previous


def make_style(folder: Path) -> Path:
    """A small recurrent checkpoint, for the program to find; the emulation never runs it."""
    from fastvid.style.checkpoint import checkpoint_bytes
    from fastvid.style.network import build_network
    from fastvid.style.variant import Variant

    variant = Variant(in_channels=_CHANNELS)
    path = folder / "recurrent.pt"
    weights = build_network(_ARCH, variant=variant).state_dict()
    path.write_bytes(checkpoint_bytes(_ARCH, weights, "emulated", variant=variant))
    return path
