"""A generated world all around: sky with clouds, a ring of houses, a tiled square.

It is a function of the direction alone, so that a camera that turns in it has exact flow
everywhere, and nothing is ever hidden.
"""

import numpy as np

_HOUSES = 26
# Neither straight ahead nor at the back do two houses meet.
_FIRST_HOUSE = 0.4
_CAMERA_HEIGHT_TILES = 1.7
# Plane waves that clouds and walls are made of: how many, and their waves per unit of direction.
_CLOUD_WAVES, _CLOUD_FREQUENCIES = 16, (3.0, 22.0)
_GRAIN_WAVES, _GRAIN_FREQUENCIES = 8, (30.0, 70.0)

_ZENITH = np.array([58, 104, 176], np.float32)
_HORIZON = np.array([196, 214, 232], np.float32)
_CLOUD = np.array([246, 242, 234], np.float32)
_TILES = np.array([[186, 168, 140], [150, 128, 104]], np.float32)
_WINDOW = np.array([46, 58, 78], np.float32)


class World:
    """The world of a seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 360])
        self._clouds = _waves(rng, _CLOUD_WAVES, _CLOUD_FREQUENCIES)
        self._grain = _waves(rng, _GRAIN_WAVES, _GRAIN_FREQUENCIES)
        self._heights = rng.uniform(0.10, 0.45, _HOUSES).astype(np.float32)
        self._walls = rng.uniform([120, 80, 70], [230, 190, 160], (_HOUSES, 3)).astype(np.float32)

    def colors(self, directions: np.ndarray, houses: bool = True) -> np.ndarray:
        """Colours of directions, (N, 3) float32 of unit length, (right, front, up): (N, 3) float32,
        0..255. houses: with them, or what is behind them."""
        colors = self._sky(directions)
        ground = directions[:, 2] < 0
        colors[ground] = self._square(directions[ground])
        if houses:
            built, house, across, rise = self._houses(directions)
            colors[built] = self._facades(house[built], across[built], rise[built])
        colors += 9 * _field(self._grain, directions)[:, None]
        return colors.clip(0, 255)

    def built(self, directions: np.ndarray) -> np.ndarray:
        """In which directions, as above, a house is seen: (N,) bool."""
        return self._houses(directions)[0]

    def _houses(self, directions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Where houses are, which one, where across it, and how far up."""
        around = np.arctan2(directions[:, 0], directions[:, 1]) / np.float32(2 * np.pi)
        place = (around % 1) * _HOUSES + np.float32(_FIRST_HOUSE)
        house = place.astype(np.intp) % _HOUSES
        rise = directions[:, 2] / np.hypot(directions[:, 0], directions[:, 1]).clip(1e-6)
        built = (rise >= -0.06) & (rise < self._heights[house])
        return built, house, place % 1, rise

    def _sky(self, directions: np.ndarray) -> np.ndarray:
        high = directions[:, 2:].clip(0, 1) ** np.float32(0.6)
        blue = _HORIZON + high * (_ZENITH - _HORIZON)
        cloud = (0.5 + 0.55 * _field(self._clouds, directions))[:, None].clip(0, 1)
        mixed: np.ndarray = blue + cloud * cloud * (_CLOUD - blue)
        return mixed

    def _square(self, directions: np.ndarray) -> np.ndarray:
        below = np.maximum(-directions[:, 2:], np.float32(0.02))
        ground = directions[:, :2] * (_CAMERA_HEIGHT_TILES / below)
        odd = np.floor(ground).sum(axis=1).astype(np.int64) % 2
        colors = _TILES[odd]
        # Joints are drawn as wide as a pixel shows, and vanish far away.
        to_joint = np.abs(ground - np.rint(ground)).min(axis=1)
        joint = (1 - to_joint / 0.06).clip(0, 1) * (below[:, 0] / 0.3).clip(0, 1)
        near: np.ndarray = colors * (1 - 0.6 * joint[:, None])
        far = _TILES.mean(axis=0)
        shown: np.ndarray = far + (below / np.float32(0.12)).clip(0, 1) * (near - far)
        return shown

    def _facades(self, house: np.ndarray, across: np.ndarray, rise: np.ndarray) -> np.ndarray:
        colors: np.ndarray = self._walls[house]
        column, row = (across * 4) % 1, (rise * 14) % 1
        window = (np.abs(column - 0.5) < 0.22) & (np.abs(row - 0.5) < 0.3) & (rise > 0)
        colors[window] = _WINDOW
        colors[across < 0.03] *= 0.7
        return colors


def _waves(
    rng: np.random.Generator, count: int, frequencies: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wave vectors (3, count), phases and amplitudes (count,): the slower a wave the stronger."""
    vectors = rng.normal(size=(3, count))
    length = np.geomspace(*frequencies, count)
    vectors *= length / np.linalg.norm(vectors, axis=0)
    amplitudes = length**-0.7
    return (
        vectors.astype(np.float32),
        rng.uniform(0, 2 * np.pi, count).astype(np.float32),
        (amplitudes / np.sqrt((amplitudes**2).sum() / 2)).astype(np.float32),
    )


def _field(waves: tuple[np.ndarray, np.ndarray, np.ndarray], directions: np.ndarray) -> np.ndarray:
    """The sum of the waves in directions, (N,) float32, of a standard deviation of about 1."""
    vectors, phases, amplitudes = waves
    total = np.zeros(len(directions), np.float32)
    for number in range(len(phases)):
        wave = directions @ vectors[:, number] + phases[number]
        total += amplitudes[number] * np.sin(wave)
    return total
