"""A painting brought up to the size of its film, with edges and relief of the film.

    B = painting + a (film - shrunk film), painting and shrunk film enlarged (bicubic)
    result = B, moved towards its maximum or minimum nearby, as the curvature of the painting says

a gives back what the painting was too small to show. It is how much brighter the painting becomes
where the film becomes brighter by one, by least squares in small windows of the shrunk film (the
local linear model of He, Sun, Tang, "Guided image filtering", 2010): where the painting does not
follow the film nothing is added, where it is inverted the relief is, and a painting that is the
film comes out as the film.

The second line makes strokes crisp, which the film does not have: one step of a shock filter
(Osher, Rudin, "Feature-oriented image enhancement using shock filters", 1990). On the bright side
of an edge, where the second derivative along the gradient is negative, a pixel takes the brightest
colours nearby, on the dark side the darkest. No value appears that is not nearby already, so there
are no halos.

Frames are (H, W, 3) uint8 RGB. Measured at 1920x1080 from 640x360 (two styles, three frames): 2.7
times as sharp as bicubic enlargement, in 0.05 s on one thread. The guided filter itself is hardly
sharper than that (1.1), takes 0.37 s, and wipes strokes out: shrunk again it is 10 levels from the
painting, where this is 5 and bicubic enlargement 2. So is whatever smooths along the film (fast
global smoother: 14). Adding the relief last follows the film a little closer and leaves halos along
its edges.
"""

import math

import cv2
import numpy as np

# How far strokes are sharpened, in pixels of the painting; a bicubic edge is two wide. More makes
# strokes thinner: with 0.5 their length (autocorrelation) falls to 0.78 to 0.84, with this to 0.84
# to 0.88.
_REACH_PX = 0.35
# A curvature of so many levels a pixel of the painting counts in full; less, less.
_FULL_CURVATURE = 6.0
_CURVATURE_SIGMA_PX = 0.7
# Windows of the local linear model; variance of the film that counts as none (levels squared).
_WINDOW_PX = 5
_NOISE_VARIANCE = 10.0
_MAX_GAIN = 3.0
# The most that is held at a time beside film and result: maximum, minimum, and float planes.
BYTES_PER_PX = 48


def enlarge(painting: np.ndarray, film: np.ndarray, shrunk: np.ndarray) -> np.ndarray:
    """The painting at the size of the film.

    shrunk: the film at the size of the painting, as it was painted.
    """
    luma = _luma(painting)
    picture = _with_relief(painting, film, _luma(shrunk), luma)
    return _crisp(picture, luma)


def _with_relief(
    painting: np.ndarray, film: np.ndarray, shrunk: np.ndarray, luma: np.ndarray
) -> np.ndarray:
    """B of the formula above. shrunk, luma: of the shrunk film and of the painting, (h, w)."""
    size = film.shape[1], film.shape[0]
    coarse = cv2.resize(shrunk, size, interpolation=cv2.INTER_CUBIC)
    relief = cv2.subtract(_luma(film), coarse, dtype=cv2.CV_32F)
    relief *= cv2.resize(_gain(luma, shrunk), size, interpolation=cv2.INTER_LINEAR)
    levels = np.rint(relief, out=relief).astype(np.int16)
    enlarged = cv2.resize(painting, size, interpolation=cv2.INTER_CUBIC)
    picture: np.ndarray = cv2.add(enlarged, cv2.merge([levels] * 3), dtype=cv2.CV_8U)
    return picture


def _crisp(picture: np.ndarray, luma: np.ndarray) -> np.ndarray:
    """The result of the formula above from B. luma: of the painting, (h, w)."""
    height, width = picture.shape[:2]
    curvature = cv2.resize(_curvature(luma), (width, height), interpolation=cv2.INTER_LINEAR)
    reach = _REACH_PX * height / luma.shape[0]
    radius = max(1, math.ceil(reach - 0.25))
    nearby = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    target = cv2.dilate(picture, nearby)
    cv2.copyTo(cv2.erode(picture, nearby), (curvature > 0).astype(np.uint8), target)
    share = np.minimum(np.abs(curvature, out=curvature), 1, out=curvature)
    share *= np.float32(min(1.0, reach / radius))
    crisp: np.ndarray = cv2.blendLinear(picture, target, 1 - share, share)
    return crisp


def _curvature(luma: np.ndarray) -> np.ndarray:
    """The second derivative along the gradient, over what counts in full: (h, w) uint8 to
    float32."""
    smooth = cv2.GaussianBlur(luma.astype(np.float32), (0, 0), _CURVATURE_SIGMA_PX)
    x, y = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (
        cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 4) for order in ((2, 0), (0, 2), (1, 1))
    )
    # The 1 keeps flat areas, whose gradient has no direction, from being decided by noise.
    steepness = (x * x + y * y + 1) * np.float32(_FULL_CURVATURE)
    curvature: np.ndarray = np.divide(x * x * xx + 2 * x * y * xy + y * y * yy, steepness)
    return curvature


def _gain(painting: np.ndarray, shrunk: np.ndarray) -> np.ndarray:
    """a of the formula above, from the lumas, at their size."""
    film, painted = shrunk.astype(np.float32), painting.astype(np.float32)
    film_mean, painted_mean = _mean(film), _mean(painted)
    variance = _mean(film * film) - film_mean * film_mean
    covariance = _mean(film * painted) - film_mean * painted_mean
    gain: np.ndarray = np.divide(covariance, variance.clip(0) + np.float32(_NOISE_VARIANCE))
    return gain.clip(-_MAX_GAIN, _MAX_GAIN)


def _luma(image: np.ndarray) -> np.ndarray:
    luma: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return luma


def _mean(plane: np.ndarray) -> np.ndarray:
    mean: np.ndarray = cv2.blur(plane, (_WINDOW_PX, _WINDOW_PX), borderType=cv2.BORDER_REFLECT)
    return mean
