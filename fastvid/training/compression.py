"""Training pictures as films have them: with the blocks and blurred details of lossy compression.

Films are compressed, photographs for training hardly: a network that never saw the 8 x 8 blocks of
a codec on flat asphalt paints them as tiles. JPEG quantises the same transform of blocks as video
codecs do in frames that stand alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

# Half of the pictures are as sharp as photographs, the others as bad as films get.
COMPRESSED_SHARE = 0.5
MIN_QUALITY, MAX_QUALITY = 10, 70
BLOCK_PX = 8


@dataclass(frozen=True)
class Compression:
    """quality: of JPEG, 1..100. left, top: where the grid of blocks begins, 0..BLOCK_PX - 1."""

    quality: int
    left: int
    top: int

    def applied(self, image: np.ndarray) -> np.ndarray:
        """An image, (H, W, 3) BGR 0..255, after compression: float32 of whole levels."""
        levels = np.rint(image).clip(0, 255).astype(np.uint8)
        padded = cv2.copyMakeBorder(levels, self.top, 0, self.left, 0, cv2.BORDER_REPLICATE)
        _, data = cv2.imencode(".jpg", padded, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert decoded is not None
        return np.asarray(decoded[self.top :, self.left :], np.float32)


def random_compression(random: np.random.Generator) -> Compression | None:
    """How a picture is compressed; None: not at all."""
    if random.random() >= COMPRESSED_SHARE:
        return None
    left, top = random.integers(0, BLOCK_PX, 2)
    return Compression(int(random.integers(MIN_QUALITY, MAX_QUALITY + 1)), int(left), int(top))
