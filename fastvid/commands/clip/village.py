"""The second shot: a village by a river under the moon, paper lanterns rising."""

import numpy as np

from fastvid.commands.clip.canvas import MARGIN, Canvas, curve, ramp, smoothstep
from fastvid.commands.clip.layers import Layer, Motion
from fastvid.commands.clip.motions import Camera, translation, wave
from fastvid.commands.clip.village_things import barge, cypress, lantern

_SHORE = 0.74
_WINDOW_LIGHT = (255, 196, 92)


def build(aspect: float, pixels_per_unit: float, rng: np.random.Generator) -> list[Layer]:
    """The layers of the shot, back to front, for a frame of that width / height."""
    camera = Camera(
        center=(aspect / 2, 0.6),
        pan=lambda t: 0.14 * wave(t, 8.0, -0.15),
        tilt=lambda t: 0.02 * wave(t, 9.0, 0.1),
        zoom=lambda t: 1.08 + 0.07 * wave(t, 10.0, -0.2),
        roll=lambda t: 0.012 * wave(t, 6.0),
    )
    span = (-MARGIN, aspect + MARGIN)
    layers = [
        _sky(span, aspect, pixels_per_unit, rng, camera.seeing(0.12)),
        _hills(span, pixels_per_unit, rng, camera.seeing(0.3)),
    ]
    layers += [
        lantern(place * aspect, y, size, pixels_per_unit, rng, camera.seeing(near, _rise(rng)))
        for place, y, size, near in ((0.34, 0.40, 0.030, 0.5), (0.58, 0.30, 0.024, 0.45))
    ]
    layers += [
        _river(span, pixels_per_unit, rng, camera.seeing(0.7)),
        _houses(span, pixels_per_unit, rng, camera.seeing(0.62)),
        barge(0.58 * aspect, 0.87, 0.30, pixels_per_unit, camera.seeing(0.9, _row)),
    ]
    layers += [
        lantern(place * aspect, y, size, pixels_per_unit, rng, camera.seeing(near, _rise(rng)))
        for place, y, size, near in (
            (0.47, 0.60, 0.046, 0.9),
            (0.72, 0.52, 0.056, 1.0),
            (0.88, 0.72, 0.075, 1.2),
        )
    ]
    layers.append(cypress(0.17 * aspect, pixels_per_unit, rng, camera.seeing(1.6)))
    return layers


def _rise(rng: np.random.Generator) -> Motion:
    phase, period = rng.uniform(-0.12, 0.12), rng.uniform(4.0, 6.0)

    def motion(time_s: float) -> np.ndarray:
        return translation(
            0.05 * wave(time_s, period, phase), -0.22 * wave(time_s, 11.0, 0.5 * phase)
        )

    return motion


def _row(time_s: float) -> np.ndarray:
    return translation(-0.35 * wave(time_s, 13.0, -0.05), 0.004 * wave(time_s, 1.7))


def _sky(
    span: tuple[float, float],
    aspect: float,
    density: float,
    rng: np.random.Generator,
    motion: Motion,
) -> Layer:
    canvas = Canvas(span[0], -MARGIN, span[1], 0.85, density)
    moon = (0.78 * aspect, 0.19)
    # A field of brush strokes: stretched noise, bent around the moon and two eddies of wind.
    bent_x, bent_y = canvas.x.copy(), canvas.y.copy()
    for x, y, reach, turn in (
        (0.40 * aspect, 0.30, 0.20, 2.6),
        (0.56 * aspect, 0.20, 0.15, -2.4),
        (*moon, 0.24, 1.8),
    ):
        angle = turn * np.exp(-((canvas.distance(x, y) / reach) ** 2))
        dx, dy = bent_x - x, bent_y - y
        bent_x = x + np.cos(angle) * dx - np.sin(angle) * dy
        bent_y = y + np.sin(angle) * dx + np.cos(angle) * dy
    strokes = _strokes(canvas, bent_x, bent_y, rng)
    height = canvas.y + 0.10 * (strokes - 0.5)
    canvas.paint(
        ramp(
            height,
            [
                (-0.2, (10, 18, 58)),
                (0.15, (22, 44, 108)),
                (0.45, (46, 92, 160)),
                (0.62, (120, 156, 178)),
                (0.75, (190, 188, 160)),
            ],
        )
    )
    canvas.paint((150, 190, 226), 0.38 * smoothstep(0.62, 0.95, strokes))
    canvas.paint((8, 18, 66), 0.45 * smoothstep(0.40, 0.10, strokes))
    away = canvas.distance(*moon)
    rings = 0.75 + 0.25 * np.cos(away * 2 * np.pi / 0.055)
    canvas.light((150, 130, 60), np.exp(-away / 0.11) * rings)
    canvas.paint((255, 232, 150), canvas.disc(*moon, 0.070))
    canvas.paint((236, 200, 112), 0.6 * canvas.disc(moon[0] - 0.026, moon[1] - 0.014, 0.018))
    canvas.paint((236, 200, 112), 0.5 * canvas.disc(moon[0] + 0.02, moon[1] + 0.026, 0.013))
    for place in np.linspace(*span, 15):
        x, y = place + rng.uniform(-0.06, 0.06), rng.uniform(-0.1, 0.46)
        if abs(x - moon[0]) < 0.2 and abs(y - moon[1]) < 0.2:
            continue
        size = rng.uniform(0.008, 0.015)
        part = canvas.near(x, y, 8 * size)
        away = part.distance(x, y)
        part.light(
            (170, 150, 80),
            0.9
            * np.exp(-away / (2.2 * size))
            * (0.8 + 0.2 * np.cos(away * 2 * np.pi / (1.8 * size))),
        )
        part.paint((255, 244, 196), part.disc(x, y, size))
    return canvas.finish(motion)


def _strokes(canvas: Canvas, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise in long thin strokes, sampled at bent coordinates: (h, w), about 0..1."""
    total = np.zeros(canvas.shape, np.float32)
    for width, weight in ((0.030, 0.5), (0.014, 0.5)):
        rows, columns = 96, 96
        grid = rng.random((rows, columns), dtype=np.float32)
        row, column = y / width, x / (width * 9) + 0.35 * y / width
        row0, column0 = np.floor(row).astype(int), np.floor(column).astype(int)
        row_step, column_step = smoothstep(0, 1, row - row0), smoothstep(0, 1, column - column0)
        upper, lower = row0 % rows, (row0 + 1) % rows
        before, after = column0 % columns, (column0 + 1) % columns
        top = grid[upper, before] * (1 - column_step) + grid[upper, after] * column_step
        bottom = grid[lower, before] * (1 - column_step) + grid[lower, after] * column_step
        total += weight * (top * (1 - row_step) + bottom * row_step)
    return total


def _hills(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], 0.4, span[1], 0.85, density)
    for base, height, dark, bright in (
        (0.60, 0.06, (34, 60, 112), (86, 122, 158)),
        (0.66, 0.035, (22, 42, 84), (62, 98, 120)),
    ):
        ridge = base - height * curve(canvas.x, rng, 1.4, 4)
        rows = canvas.relief(rng, 0.035) * 0.35 + 0.5 * canvas.noise(rng, 0.03, 4, stretch=4.0)
        canvas.paint(ramp(rows, [(0.0, dark), (0.6, bright)]), canvas.below(ridge))
    return canvas.finish(motion)


def _houses(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], 0.30, span[1], _SHORE + 0.03, density)
    x = span[0]
    while x < span[1]:
        width = rng.uniform(0.09, 0.15)
        _house(canvas, rng, x, rng.uniform(0.60, 0.66), width)
        x += width * rng.uniform(0.86, 1.05)
    church = 0.5 * (span[0] + span[1]) + 0.04
    stone = ramp(canvas.noise(rng, 0.02, 4), [(0, (58, 66, 104)), (1, (122, 130, 160))])
    canvas.paint(
        stone,
        canvas.polygon(
            [
                (church - 0.028, _SHORE),
                (church - 0.028, 0.52),
                (church + 0.028, 0.52),
                (church + 0.028, _SHORE),
            ]
        ),
    )
    canvas.paint(
        (36, 44, 82),
        canvas.polygon([(church - 0.036, 0.525), (church, 0.335), (church + 0.036, 0.525)]),
    )
    canvas.paint(_WINDOW_LIGHT, canvas.disc(church, 0.565, 0.011))
    canvas.paint((30, 34, 60), canvas.inside(np.abs(canvas.y - (_SHORE + 0.01)) - 0.014))
    return canvas.finish(motion)


def _house(canvas: Canvas, rng: np.random.Generator, x: float, eaves: float, width: float) -> None:
    part = canvas.near(x + width / 2, 0.62, 0.2)
    tint = np.array([(70, 66, 108), (92, 76, 98), (58, 84, 116), (104, 92, 104)][rng.integers(4)])
    plaster = part.noise(rng, 0.02, 4)[..., None] * 0.5 + 0.75
    part.paint(
        np.clip(tint * plaster, 0, 255),
        part.polygon([(x, _SHORE), (x, eaves), (x + width, eaves), (x + width, _SHORE)]),
    )
    roof = eaves - rng.uniform(0.05, 0.075)
    tiles = part.noise(rng, 0.008, 3, stretch=3.0)[..., None] * 0.6 + 0.7
    color = np.array([(86, 44, 58), (62, 48, 84), (98, 58, 52)][rng.integers(3)])
    part.paint(
        np.clip(color * tiles, 0, 255),
        part.polygon(
            [
                (x - 0.008, eaves + 0.004),
                (x + 0.3 * width, roof),
                (x + 0.7 * width, roof),
                (x + width + 0.008, eaves + 0.004),
            ]
        ),
    )
    columns = 2 if width < 0.12 else 3
    for row in np.arange(eaves + 0.025, _SHORE - 0.03, 0.045):
        for column in range(columns):
            window_x = x + width * (column + 0.5) / columns
            lit = rng.random() < 0.66
            shade = rng.uniform(0.75, 1.0)
            light = shade * np.array(_WINDOW_LIGHT)
            if lit:
                glow = part.near(window_x, row, 0.05)
                glow.light((90, 52, 10), np.exp(-glow.distance(window_x, row) / 0.014))
            pane = part.polygon(
                [
                    (window_x - 0.0085, row - 0.012),
                    (window_x + 0.0085, row - 0.012),
                    (window_x + 0.0085, row + 0.012),
                    (window_x - 0.0085, row + 0.012),
                ]
            )
            part.paint(light if lit else np.array((34, 38, 66)), pane)


def _river(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], _SHORE - 0.01, span[1], 1.0 + MARGIN, density)
    canvas.paint(
        ramp(
            canvas.y,
            [
                (_SHORE, (54, 74, 122)),
                (0.84, (26, 50, 106)),
                (1.15, (12, 24, 70)),
            ],
        )
    )
    ripple = canvas.noise(rng, 0.016, 3, stretch=8.0)
    canvas.paint((86, 128, 184), 0.5 * smoothstep(0.55, 0.85, ripple))
    canvas.paint((8, 16, 56), 0.5 * smoothstep(0.45, 0.15, ripple))
    for place in np.linspace(*span, 26):
        x = place + rng.uniform(-0.03, 0.03)
        width, length = rng.uniform(0.006, 0.012), rng.uniform(0.08, 0.24)
        streak = np.exp(-(((canvas.x - x) / (width * (1 + 2 * ripple))) ** 2))
        fade = smoothstep(_SHORE + length, _SHORE, canvas.y)
        canvas.paint(_WINDOW_LIGHT, 0.85 * streak * fade * smoothstep(0.30, 0.62, ripple))
    return canvas.finish(motion)
