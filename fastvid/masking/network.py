"""A network that says of every pixel whether it belongs to a person, or to what else it knows.

OpenCV's own `cv2.dnn` runs it: an ONNX or TFLite file with one picture in, RGB within 0..1, and one
plane of probabilities out.
"""

import cv2
import numpy as np

from fastvid.errors import InputError
from fastvid.regions.guided import guided_filter
from fastvid.regions.planes import scaled

# In `PictureSettings.masking`, before the size of the network's picture.
NETWORK = "network"
# Of mediapipe's selfie segmentation, the landscape one.
DEFAULT_SIZE = (256, 144)
MODEL_ENDINGS = (".onnx", ".tflite")
# Networks round: what is all but a probability is one.
_SLACK = 1e-3


class MaskNetwork:
    """A network in the bytes of its file. size: (width, height) of the picture that it takes.

    Raises InputError if it can't be read.
    """

    def __init__(self, data: bytes, name: str, size: tuple[int, int]) -> None:
        if not name.lower().endswith(MODEL_ENDINGS):
            raise InputError(f"{name}: is neither {' nor '.join(MODEL_ENDINGS)}.")
        self._name, self._size = name, size
        content = np.frombuffer(data, np.uint8)
        try:
            if name.lower().endswith(".onnx"):
                self._net = cv2.dnn.readNetFromONNX(content)
            else:
                self._net = cv2.dnn.readNetFromTFLite(content)
        except (cv2.error, SystemError) as error:
            raise InputError(f"{name}: is no network that OpenCV can read.") from error

    def mask(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB to (H, W) uint8, 255 inside; its edge follows the picture's.

        Raises InputError if the network takes other pictures, or gives something else.
        """
        height, width = image.shape[:2]
        coarse = scaled(np.rint(self._probabilities(image) * 255).astype(np.uint8), width, height)
        return guided_filter(image, coarse)

    def _probabilities(self, image: np.ndarray) -> np.ndarray:
        width, height = self._size
        small = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        try:
            self._net.setInput(cv2.dnn.blobFromImage(small, 1 / 255))
            plane = np.asarray(self._net.forward())
        except cv2.error as error:
            raise InputError(
                f"{self._name}: takes no picture of {width}x{height}; say which with --model-size."
            ) from error
        if plane.size != width * height:
            raise InputError(
                f"{self._name}: gives {plane.shape} numbers, not one plane of {width}x{height}."
            )
        if not (np.isfinite(plane).all() and plane.min() > -_SLACK and plane.max() < 1 + _SLACK):
            raise InputError(f"{self._name}: gives numbers outside 0..1.")
        clipped: np.ndarray = plane.reshape(height, width).clip(0, 1)
        return clipped
