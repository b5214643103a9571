"""The third shot: sunflowers turning in the wind, a butterfly passing; the camera goes in."""

import numpy as np

from fastvid.commands.clip.canvas import Canvas, ramp, smoothstep
from fastvid.commands.clip.layers import Layer, Motion
from fastvid.commands.clip.motions import Camera, translation, turning, wave

_MARGIN = 0.45
# Successive florets of a seed head are this far apart (Vogel, "A better way to construct the
# sunflower head", 1979).
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def build(aspect: float, pixels_per_unit: float, rng: np.random.Generator) -> list[Layer]:
    """The layers of the shot, back to front, for a frame of that width / height."""
    camera = Camera(
        center=(aspect / 2, 0.5),
        pan=lambda t: 0.05 * wave(t, 7.0, -0.1),
        tilt=lambda t: 0.03 * wave(t, 6.0, 0.2),
        zoom=lambda t: 1.16 + 0.14 * wave(t, 8.0, -0.22),
        roll=lambda t: 0.05 * wave(t, 9.0, -0.1),
        keystone=lambda t: 0.10 * wave(t, 6.5, 0.05),
    )
    span = (-_MARGIN, aspect + _MARGIN)
    layers = [
        _meadow(span, pixels_per_unit, rng, camera.seeing(0.3)),
        _leaves(span, pixels_per_unit, rng, camera.seeing(0.6)),
    ]
    for place, y, radius, near, period in (
        (0.70, 0.26, 0.16, 0.7, 5.5),
        (0.14, 0.30, 0.17, 0.75, -6.5),
        (0.93, 0.62, 0.19, 0.9, 7.0),
        (0.40, 0.56, 0.29, 1.1, -9.0),
        (0.70, 0.88, 0.21, 1.3, 6.0),
    ):
        x = place * aspect
        layers.append(_stalk(x, y, radius, pixels_per_unit, rng, camera.seeing(near)))
        head = _turn(x, y, period, rng.uniform(-0.1, 0.1))
        layers.append(_sunflower(x, y, radius, pixels_per_unit, rng, camera.seeing(near, head)))
    layers.extend(
        _wing(side, pixels_per_unit * 1.2, camera.seeing(1.4, _flap(aspect, side)))
        for side in (-1, 1)
    )
    layers.append(_body(pixels_per_unit * 1.2, camera.seeing(1.4, _flight(aspect))))
    return layers


def _turn(x: float, y: float, period_s: float, phase: float) -> Motion:
    """Turning and nodding towards the camera."""

    def motion(time_s: float) -> np.ndarray:
        swell = 1 + 0.07 * wave(time_s, abs(period_s) * 0.6, phase)
        angle = np.sign(period_s) * 0.8 * wave(time_s, abs(period_s), phase)
        sway = translation(0.025 * wave(time_s, 4.3, phase), 0.015 * wave(time_s, 3.1, -phase))
        return np.asarray(sway @ turning(float(angle), x, y, swell, swell))

    return motion


def _flight(aspect: float) -> Motion:
    def motion(time_s: float) -> np.ndarray:
        x = aspect * (0.50 - 0.34 * wave(time_s, 7.5, 0.12))
        y = 0.24 + 0.10 * wave(time_s, 2.9, 0.1) + 0.02 * wave(time_s, 0.9)
        return np.asarray(translation(x, y) @ turning(0.45 + 0.25 * wave(time_s, 3.7), 0, 0))

    return motion


def _flap(aspect: float, side: int) -> Motion:
    """Each wing narrows about the body as it rises: a scaling along one axis."""
    flight = _flight(aspect)

    def motion(time_s: float) -> np.ndarray:
        open_share = 0.66 + 0.30 * wave(time_s, 0.55)
        wing = turning(0.10 * side * open_share, 0, 0, open_share, 1.0)
        return np.asarray(flight(time_s) @ wing)

    return motion


def _meadow(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    """Out of focus: sky, a far field, and discs of light."""
    canvas = Canvas(span[0], -_MARGIN, span[1], 1 + _MARGIN, density)
    cloud = canvas.noise(rng, 0.35, 4, stretch=1.8)
    canvas.paint(
        ramp(
            canvas.y + 0.25 * (cloud - 0.5),
            [
                (-0.4, (70, 140, 190)),
                (0.2, (126, 190, 206)),
                (0.48, (214, 222, 178)),
                (0.60, (208, 188, 92)),
                (0.85, (120, 146, 62)),
                (1.3, (44, 84, 48)),
            ],
        )
    )
    for _ in range(130):
        x, y = rng.uniform(*span), rng.uniform(0.35, 1.2)
        size = rng.uniform(0.02, 0.065)
        color = ((255, 222, 96), (236, 240, 170), (150, 190, 84), (255, 176, 70), (70, 120, 66))
        part = canvas.near(x, y, 1.2 * size)
        disc = smoothstep(size, 0.86 * size, part.distance(x, y))
        part.paint(color[rng.integers(5)], rng.uniform(0.2, 0.5) * disc)
    return canvas.finish(motion)


def _leaf(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, length: float, angle: float
) -> None:
    """A heart-shaped leaf with a bright midrib."""
    part = canvas.near(x, y, 1.1 * length)
    along = ((part.x - x) * np.cos(angle) + (part.y - y) * np.sin(angle)) / length
    across = (-(part.x - x) * np.sin(angle) + (part.y - y) * np.cos(angle)) / length
    share = np.clip(along, 0, 1)
    half = 0.85 * np.sqrt(share) * (1 - share) ** 0.8
    mask = part.inside((np.abs(across) - half) * length) * part.inside(-along * length)
    veins = 0.5 + 0.5 * np.cos((along - 0.8 * np.abs(across)) * 42)
    tone = 0.5 + 0.9 * across + 0.22 * veins + rng.uniform(-0.15, 0.2)
    part.paint(ramp(tone, [(0, (24, 62, 34)), (0.6, (72, 124, 48)), (1.2, (172, 190, 82))]), mask)
    rib = part.inside((np.abs(across) - 0.018) * length)
    part.paint((176, 196, 106), 0.7 * rib * mask)


def _leaves(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], 0.3, span[1], 1 + _MARGIN, density)
    for y in np.linspace(0.72, 1.35, 60):
        _leaf(
            canvas,
            rng,
            rng.uniform(*span),
            y + rng.uniform(-0.08, 0.08),
            rng.uniform(0.16, 0.30),
            rng.uniform(-np.pi, 0.3),
        )
    return canvas.finish(motion)


def _stalk(
    x: float, y: float, radius: float, density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(x - 1.6 * radius, y, x + 1.6 * radius, y + 1.3, density)
    down = np.linspace(y, y + 1.3, 24)
    middle = x + 0.25 * radius * np.sin((down - y) * 4)
    half = 0.075 * radius
    outline = np.concatenate(
        [np.stack([middle - half, down], 1), np.stack([middle + half, down], 1)[::-1]]
    )
    tone = (canvas.x - x - 0.25 * radius * np.sin((canvas.y - y) * 4)) / half * 0.5 + 0.5
    canvas.paint(
        ramp(
            tone + 0.3 * canvas.noise(rng, 0.03, 3, stretch=0.3),
            [(0, (48, 86, 38)), (1.2, (160, 182, 84))],
        ),
        canvas.polygon(outline),
    )
    for side in (-1, 1):
        _leaf(
            canvas,
            rng,
            x,
            y + rng.uniform(1.3, 1.8) * radius,
            1.2 * radius,
            np.pi / 2 - side * rng.uniform(0.8, 1.3),
        )
    return canvas.finish(motion)


def _sunflower(
    x: float, y: float, radius: float, density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(x - 1.1 * radius, y - 1.1 * radius, x + 1.1 * radius, y + 1.1 * radius, density)
    angle = np.arctan2(canvas.y - y, canvas.x - x)
    away = canvas.distance(x, y) / radius
    light = 0.86 - 0.20 * (canvas.x - x + canvas.y - y) / radius
    for count, reach, dark, bright in (
        (21, 1.0, (196, 112, 16), (246, 178, 34)),
        (19, 0.93, (226, 140, 20), (255, 208, 56)),
        (17, 0.82, (240, 162, 28), (255, 226, 92)),
    ):
        for petal in range(count):
            direction = 2 * np.pi * (petal + rng.uniform(-0.25, 0.25)) / count
            turned = (angle - direction + np.pi) % (2 * np.pi) - np.pi
            tip = reach * rng.uniform(0.9, 1.06)
            along = np.clip((away - 0.30) / (tip - 0.30), 0, 1)
            half = 0.155 * np.sqrt(0.25 + along) * (1 - along) ** 0.65
            across = away * np.sin(turned)
            mask = canvas.inside((np.abs(across) - half) * radius)
            mask *= (np.abs(turned) < 1) * canvas.inside((away - tip) * radius)
            furrow = 0.25 * np.cos(across * 90) + 0.9 * along + rng.uniform(-0.2, 0.15)
            edge = smoothstep(0.6, 1.0, np.abs(across) / np.maximum(half, 1e-3))
            color = ramp(furrow - 0.35 * edge, [(-0.2, dark), (0.9, bright)])
            canvas.paint(np.clip(color * light[..., None], 0, 255), mask)
    heart = 0.42
    canvas.paint(
        ramp(away, [(0, (62, 40, 18)), (0.22, (58, 32, 18)), (0.42, (112, 62, 22))]),
        canvas.inside((away - heart) * radius),
    )
    florets = 320
    for number in range(florets):
        distance = heart * 0.97 * np.sqrt((number + 0.5) / florets)
        direction = number * _GOLDEN_ANGLE
        seed_x = x + radius * distance * np.cos(direction)
        seed_y = y + radius * distance * np.sin(direction)
        size = radius * (0.012 + 0.012 * distance / heart)
        part = canvas.near(seed_x, seed_y, 1.5 * size)
        share = distance / heart
        part.paint(
            (60 + 150 * share**2, 46 + 82 * share**2, 20 + 14 * share),
            part.disc(seed_x, seed_y, size),
        )
    return canvas.finish(motion)


def _wing(side: int, density: float, motion: Motion) -> Layer:
    """One side of a butterfly, about (0, 0); side -1 is the left one."""
    canvas = Canvas(-0.16, -0.14, 0.16, 0.14, density)
    out = canvas.x * side
    angle = np.arctan2(canvas.y, out)
    away = np.hypot(out, canvas.y)
    upper = 0.145 * np.clip(np.cos((angle + 0.70) * 1.35), 0, 1) ** 0.55
    lower = 0.105 * np.clip(np.cos((angle - 0.72) * 1.45), 0, 1) ** 0.5
    reach = np.maximum(upper, lower)
    shape = canvas.inside(away - reach) * (out > -0.002)
    share = away / np.maximum(reach, 1e-4)
    canvas.paint(
        ramp(
            share,
            [
                (0, (40, 70, 150)),
                (0.5, (56, 128, 220)),
                (0.78, (120, 196, 246)),
                (0.84, (22, 26, 60)),
                (1, (14, 16, 40)),
            ],
        ),
        shape,
    )
    veins = np.abs(np.sin(angle * 7)) < 0.10
    canvas.paint((18, 24, 66), 0.55 * shape * veins)
    for spot in np.linspace(-1.15, 1.1, 9):
        rim = float(np.interp(spot, angle[:, -1], reach[:, -1])) * 0.92
        dot = canvas.disc(side * rim * np.cos(spot), rim * np.sin(spot), 0.0045)
        canvas.paint((250, 240, 214), dot * shape)
    return canvas.finish(motion)


def _body(density: float, motion: Motion) -> Layer:
    canvas = Canvas(-0.05, -0.09, 0.05, 0.09, density)
    canvas.paint((26, 22, 34), canvas.disc(0, 0.005, 0.0085, 6.0))
    canvas.paint((44, 38, 50), canvas.disc(0, -0.045, 0.0105))
    for side in (-1, 1):
        canvas.paint(
            (26, 22, 34),
            canvas.polygon(
                [(0, -0.05), (side * 0.026, -0.080), (side * 0.029, -0.078), (side * 0.003, -0.046)]
            ),
        )
    return canvas.finish(motion)
