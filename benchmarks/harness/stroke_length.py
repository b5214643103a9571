"""How long the strokes of a picture are, by the autocorrelation of its texture."""

import cv2
import numpy as np

# Texture is what is finer than this share of the height (sigma of a Gaussian).
_COARSEST = 1 / 30
SAMPLED_HEIGHT_PX = 360


def stroke_length(picture: np.ndarray) -> float:
    """The distance, over the picture's height, at which its texture is half correlated.

    picture: (H, W, 3) uint8 RGB, shrunk to SAMPLED_HEIGHT_PX lines by area: what is finer than that
    is how crisp edges are. The autocorrelation of the luma minus its blur, averaged over all
    directions, interpolated between pixels.
    """
    width = round(picture.shape[1] * SAMPLED_HEIGHT_PX / picture.shape[0])
    picture = cv2.resize(picture, (width, SAMPLED_HEIGHT_PX), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    height, width = luma.shape
    texture = luma - cv2.GaussianBlur(luma, (0, 0), _COARSEST * height)
    # Zeros around it keep the picture from meeting its other end.
    spectrum = np.fft.rfft2(texture, (2 * height, 2 * width))
    correlation = np.fft.irfft2(np.abs(spectrum) ** 2)
    reach = height // 8
    rows, columns = np.mgrid[0:reach, -reach:reach]
    distance = np.rint(np.hypot(rows, columns)).astype(int)
    wrapped = correlation[rows, columns]
    sums = np.bincount(distance.ravel(), wrapped.ravel())[:reach]
    means = sums / np.bincount(distance.ravel())[:reach]
    means /= means[0]
    below = int(np.argmax(means < 0.5))
    fraction = (means[below - 1] - 0.5) / (means[below - 1] - means[below])
    return float(float(below - 1 + fraction) / height)
