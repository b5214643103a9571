"""HDR to SDR: PQ and HLG in BT.2020 to gamma-coded BT.709, in numpy.

Steps: code values to display light (SMPTE ST 2084, or ITU-R BT.2100 HLG with its OOTF), one gain
a pixel from its largest component by the tone curve of ITU-R BT.2390 (5.4.1, "maxRGB"), BT.2020
to BT.709 primaries (ITU-R BT.2087), clipping, and the inverse of the BT.1886 display gamma.
"""

import struct

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from fastvid.decode.orientation import side_data_of

# SMPTE ST 2084:2014, 5.1.
_PQ_M1 = 2610 / 16384
_PQ_M2 = 2523 / 4096 * 128
_PQ_C1 = 3424 / 4096
_PQ_C2 = 2413 / 4096 * 32
_PQ_C3 = 2392 / 4096 * 32
PQ_PEAK_NITS = 10000.0
# ITU-R BT.2100, table 5: HLG OETF, and the OOTF's gamma for a display of 1000 cd/m2.
_HLG_A = 0.17883277
_HLG_B = 1 - 4 * _HLG_A
_HLG_C = 0.5 - _HLG_A * np.log(4 * _HLG_A)
_HLG_GAMMA = 1.2
HLG_PEAK_NITS = 1000.0
# ITU-R BT.2100, table 2: luminance of BT.2020 primaries.
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
# ITU-R BT.2408, table 1: diffuse white in HDR, which becomes the white of SDR.
SDR_WHITE_NITS = 203.0
# The peak that most HDR masters are graded for, where the stream does not tell its own.
DEFAULT_PEAK_NITS = 1000.0
# Inverse of the matrix of ITU-R BT.2087-0, annex 1 (BT.709 to BT.2020, linear light).
BT709_TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
BT2020_TO_BT709 = np.linalg.inv(BT709_TO_BT2020)
_TO_BT709 = BT2020_TO_BT709.astype(np.float32)
# ITU-R BT.1886.
_DISPLAY_GAMMA = 2.4
# Code values as libswscale makes them for 12-bit RGB: white is 255 << 4, not 4095.
_CODES = 4096
WHITE_CODE = 255 << 4
_STEPS = 8192
# Pixels handled at a time: the intermediate arrays then stay in the processor's cache.
_STRIP_PIXELS = 1 << 14


def pq_to_nits(code: np.ndarray) -> np.ndarray:
    """EOTF of SMPTE ST 2084: non-linear values 0..1 to cd/m2 0..10000."""
    power = np.power(np.clip(code, 0, 1), 1 / _PQ_M2)
    light = np.maximum(power - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * power)
    return np.asarray(PQ_PEAK_NITS * np.power(light, 1 / _PQ_M1))


def nits_to_pq(nits: np.ndarray) -> np.ndarray:
    """Inverse EOTF of SMPTE ST 2084: cd/m2 0..10000 to non-linear values 0..1."""
    power = np.power(np.clip(nits, 0, PQ_PEAK_NITS) / PQ_PEAK_NITS, _PQ_M1)
    return np.asarray(np.power((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power), _PQ_M2))


def hlg_to_scene(code: np.ndarray) -> np.ndarray:
    """Inverse OETF of BT.2100 HLG: non-linear values 0..1 to scene light 0..1."""
    code = np.clip(code, 0, 1)
    upper = (np.exp((code - _HLG_C) / _HLG_A) + _HLG_B) / 12
    return np.asarray(np.where(code <= 0.5, code * code / 3, upper))


def bt2390_curve(nits: np.ndarray, peak_nits: float) -> np.ndarray:
    """Tone curve of ITU-R BT.2390, 5.4.1 (EETF, black level 0): cd/m2 to 0..SDR_WHITE_NITS.

    Light below the knee stays as it is; above it a Hermite spline in PQ space takes `peak_nits`
    to SDR_WHITE_NITS.
    """
    source_peak = float(nits_to_pq(np.array(peak_nits)))
    largest = float(nits_to_pq(np.array(SDR_WHITE_NITS))) / source_peak
    if largest >= 1:
        return np.asarray(np.minimum(nits, SDR_WHITE_NITS))
    knee = 1.5 * largest - 0.5
    level = np.clip(nits_to_pq(nits) / source_peak, 0, 1)
    t = (level - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * largest
    )
    return pq_to_nits(np.where(level < knee, level, spline) * source_peak)


def source_peak_nits(frame: VideoFrame) -> float:
    """Brightest light of PQ content in cd/m2: its MaxCLL (CTA-861.3) if it has one, or 1000."""
    light = side_data_of(frame, Type.CONTENT_LIGHT_LEVEL)
    if len(light) >= 4:
        (max_cll,) = struct.unpack("=I", light[:4])
        if SDR_WHITE_NITS <= max_cll <= PQ_PEAK_NITS:
            return float(max_cll)
    return DEFAULT_PEAK_NITS


class ToneMapper:
    """Maps HDR pictures to 8-bit SDR.

    transfer: "pq" or "hlg". peak_nits: brightest light of PQ content (HLG: that of its display).
    """

    def __init__(self, transfer: str, peak_nits: float = DEFAULT_PEAK_NITS) -> None:
        codes = np.minimum(np.arange(_CODES) / WHITE_CODE, 1)
        self._hlg = transfer == "hlg"
        if self._hlg:
            peak_nits = HLG_PEAK_NITS
            light = hlg_to_scene(codes)
        else:
            light = np.minimum(pq_to_nits(codes), peak_nits) / peak_nits
        self._light = light.astype(np.float32)
        # Tables are looked up by the square root of light, where even steps are fine enough for
        # the darks as well.
        roots = np.arange(_STEPS) / (_STEPS - 1)
        nits = np.square(roots) * peak_nits
        gain = np.ones(_STEPS)
        gain[1:] = bt2390_curve(nits[1:], peak_nits) / nits[1:]
        self._gain = (gain * peak_nits / SDR_WHITE_NITS).astype(np.float32)
        self._shown = np.rint(255 * np.power(roots, 2 / _DISPLAY_GAMMA)).astype(np.uint8)

    def __call__(self, planes: np.ndarray) -> np.ndarray:
        """(3, H, W) uint16 R'G'B' in BT.2020, 0..WHITE_CODE, to (H, W, 3) uint8 in BT.709."""
        _, height, width = planes.shape
        result = np.empty((height, width, 3), np.uint8)
        rows = max(1, _STRIP_PIXELS // width)
        for top in range(0, height, rows):
            strip = planes[:, top : top + rows]
            mapped = self._map(strip.reshape(3, -1))
            result[top : top + rows] = mapped.reshape(strip.shape).transpose(1, 2, 0)
        return result

    def _map(self, codes: np.ndarray) -> np.ndarray:
        """(3, N) uint16 to (3, N) uint8."""
        light = self._light[codes]
        if self._hlg:
            light *= np.power(_weighted(_LUMINANCE_2020, light), np.float32(_HLG_GAMMA - 1))
        brightest = np.maximum(np.maximum(light[0], light[1]), light[2])
        light *= self._gain[_step(brightest)]
        shown: np.ndarray = self._shown[_step(np.clip(_weighted(_TO_BT709, light), 0, 1))]
        return shown


def _weighted(weights: np.ndarray, light: np.ndarray) -> np.ndarray:
    """weights @ light, (..., 3) by (3, N), in one order on every machine: BLAS rounds as its number
    of threads has it."""
    total: np.ndarray = np.multiply.outer(weights[..., 0], light[0])
    for channel in (1, 2):
        total += np.multiply.outer(weights[..., channel], light[channel])
    return total


def _step(light: np.ndarray) -> np.ndarray:
    """Index into a table of _STEPS entries over the square root of light 0..1."""
    step: np.ndarray = np.sqrt(light) * (_STEPS - 1) + np.float32(0.5)
    return step.astype(np.uint16)
