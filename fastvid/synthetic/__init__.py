"""A generated film whose motion and occlusions are known exactly, for the demo and the tests."""
from fastvid.synthetic.clip import SyntheticClip
from fastvid.synthetic.writing import write_clip
