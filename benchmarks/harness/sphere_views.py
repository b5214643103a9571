"""Spherical frames as cameras that are turned see them, and as a viewer sees them."""

import cv2
import numpy as np

from fastvid.motion.warp import sample
from fastvid.sphere.caps import Circle, directions

_VIEW_DEGREES = 40.0
# Frames are compared at this smoothness where colours are compared, not strokes.
_LOW_PASS_DEGREES = 4.0


def seen(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """The frame of a camera that is turned: pose leads its directions into those of the frame."""
    circle = Circle(frame.shape[1], half=False)
    latitude, longitude = circle.latitudes()[:, None], circle.longitudes()[None, :]
    return _looked_up(frame, directions(longitude, latitude) @ pose.T)


def view(frame: np.ndarray, pose: np.ndarray, degrees: float = _VIEW_DEGREES) -> np.ndarray:
    """What a viewer sees in a direction, azimuthal equidistant, at the density of the frame."""
    density = frame.shape[1] / (2 * np.pi)
    side = round(np.radians(degrees) * density)
    place = (np.arange(side) - (side - 1) / 2) / density
    right, up = place[None, :], -place[:, None]
    distance = np.hypot(right, up)
    scale = np.sinc(distance / np.pi)
    ahead = np.dstack([right * scale, np.cos(distance), up * scale])
    return _looked_up(frame, ahead @ pose.T)


def rolled(angle: float) -> np.ndarray:
    """The rotation around what is straight ahead, (3, 3), for (right, front, up)."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


def _looked_up(frame: np.ndarray, directions: np.ndarray) -> np.ndarray:
    circle = Circle(frame.shape[1], half=False)
    longitude = np.arctan2(directions[..., 0], directions[..., 1])
    x, y = circle.position(longitude, np.arcsin(directions[..., 2].clip(-1, 1)))
    flow = np.dstack([x % circle.width, y]).astype(np.float32)
    return sample(frame, flow, wrap=True)


def colour_apart(one: np.ndarray, other: np.ndarray) -> float:
    """RMS of the difference of two views without their strokes, levels."""
    sigma = _LOW_PASS_DEGREES / _VIEW_DEGREES * len(one)
    smooth = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma) for image in (one, other)]
    return float(np.sqrt(np.square(smooth[0] - smooth[1]).mean()))


def anisotropy(image: np.ndarray) -> float:
    """Energy of differences around the middle of a view over that of differences along the
    radius."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    place = np.arange(len(grey)) - (len(grey) - 1) / 2
    x, y = place[None, :], place[:, None]
    distance = np.maximum(np.hypot(x, y), 1)
    inside = (distance > 4) & (distance < len(grey) / 2)
    along = (across * x + down * y) / distance
    around = (down * x - across * y) / distance
    return float(np.sqrt(np.square(around)[inside].mean() / np.square(along)[inside].mean()))
