"""Recurrent models for benchmarks: stages that sleep for the network, and one made of a style."""

from pathlib import Path

import numpy as np

from fastvid.stages.interface import Motion
from harness.emulation import SleepingStages

_ARCH = "c3s1-4,c3s1-3"
_CHANNELS = 7


class SleepingRecurrent(SleepingStages):
    """As `SleepingStages`, with the network in the temporal pass, where it costs `blend`.

    No past is ever forgotten (frames are added up, modulo 256): every seam of two stretches is
    recomputed to the last frame that it may be.
    """

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame itself."""
        return frame

    def begin(self, frame: np.ndarray) -> np.ndarray:
        """The negative of the frame, for the costs of the network."""
        self._compute(self._seconds.blend)
        negative: np.ndarray = np.bitwise_not(frame)[None]
        return negative

    def carry(self, difference: np.ndarray, motion: Motion[None]) -> np.ndarray:
        """Nothing moves."""
        return difference

    def temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[None]
    ) -> float:
        """The same for all frames."""
        return 1.0

    def _mix(self, painted: np.ndarray, previous: np.ndarray) -> np.ndarray:
        added: np.ndarray = painted[None] + previous
        return added


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


def recurrent_style(style: str, share: float) -> bytes:
    """A recurrent model made out of a bundled style.

    It sees (1 - share) times the frame and share times the past, masked and moved, and paints that:
    its own painting once more. It was never trained for that.
    """
    import torch

    from fastvid.style.checkpoint import checkpoint_bytes, read_checkpoint
    from fastvid.style.loading import read_style
    from fastvid.style.variant import Variant

    file = read_style(style)
    checkpoint = read_checkpoint(file.data, file.name)
    weights = dict(checkpoint.weights)
    first = next(key for key, value in weights.items() if value.ndim == 4)
    of_frame = weights[first]
    of_mask = torch.zeros_like(of_frame[:, :1])
    weights[first] = torch.cat([(1 - share) * of_frame, share * of_frame, of_mask], dim=1)
    return checkpoint_bytes(
        checkpoint.arch, weights, f"{file.name}, made recurrent", variant=Variant(in_channels=7)
    )
