"""fastvid: repaints a whole video in the style of a painting, without flicker, in parallel."""
from fastvid.version import __version__
