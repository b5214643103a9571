"""A clip whose motion training can be held against."""

from pathlib import Path

import av
import cv2
import numpy as np


def panning_clip(path: Path, frames: int, cut: int) -> str:
    """Writes a texture that pans by (2, 1) pixels, another one from frame `cut` on; the path."""
    random = np.random.default_rng(0)
    scenes = [
        cv2.resize(random.integers(0, 256, (24, 28, 3), np.uint8), (224, 192)) for _ in range(2)
    ]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "bgr0"
        for number in range(frames):
            x, y = 2 * number, number
            part = scenes[number >= cut][y : y + 96, x : x + 128]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(part), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)
