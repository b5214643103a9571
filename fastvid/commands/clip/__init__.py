"""A generated film whose motion and occlusions are known exactly, for the demo and the tests."""

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.clip.writing import write_clip

__all__ = ["SyntheticClip", "write_clip"]
