"""The first shot: a bay in the evening sun, with a sailing boat and a hot-air balloon."""

import numpy as np

from fastvid.commands.clip.bay_things import balloon, boat, pine, shore
from fastvid.commands.clip.canvas import MARGIN, Canvas, Color, curve, ramp, smoothstep
from fastvid.commands.clip.layers import Layer, Motion
from fastvid.commands.clip.motions import Camera, translation, turning, wave

_HORIZON = 0.60
_SUN = (0.74, 0.385)


def build(aspect: float, pixels_per_unit: float, rng: np.random.Generator) -> list[Layer]:
    """The layers of the shot, back to front, for a frame of that width / height."""
    camera = Camera(
        center=(aspect / 2, 0.5),
        pan=lambda t: -0.16 * wave(t, 9.0, -0.1) - 0.09,
        tilt=lambda t: 0.012 * wave(t, 5.0),
        zoom=lambda t: 1.05 + 0.05 * wave(t, 11.0, -0.15),
    )
    span = (-MARGIN, aspect + MARGIN)
    return [
        _sky(span, pixels_per_unit, rng, camera.seeing(0.10)),
        _clouds(span, pixels_per_unit, rng, camera.seeing(0.16, _drift(0.02))),
        _mountains(span, pixels_per_unit, rng, camera.seeing(0.24)),
        balloon(0.30 * aspect, 0.25, 0.105, pixels_per_unit, camera.seeing(0.45, _float_up)),
        _hills(span, pixels_per_unit, rng, camera.seeing(0.42)),
        _water(span, pixels_per_unit, rng, camera.seeing(0.55)),
        boat(0.60 * aspect, 0.76, 0.34, pixels_per_unit, camera.seeing(0.75, _sail(0.60 * aspect))),
        shore(span, pixels_per_unit, rng, camera.seeing(1.25)),
        pine(0.10 * aspect, pixels_per_unit, rng, camera.seeing(1.6)),
    ]


def _drift(speed: float) -> Motion:
    return lambda t: translation(speed * 4 * wave(t, 25.0), 0.0)


def _float_up(time_s: float) -> np.ndarray:
    return translation(0.30 * wave(time_s, 13.0, -0.05), -0.05 * wave(time_s, 7.0, -0.1))


def _sail(x: float) -> Motion:
    def motion(time_s: float) -> np.ndarray:
        ahead = translation(-0.22 * wave(time_s, 12.0, -0.12), 0.006 * wave(time_s, 1.9))
        return np.asarray(ahead @ turning(0.045 * wave(time_s, 2.6), x, 0.76))

    return motion


def _sky(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], -MARGIN, span[1], 0.75, density)
    canvas.paint(
        ramp(
            canvas.y,
            [
                (-0.3, (24, 62, 122)),
                (0.05, (46, 104, 164)),
                (0.30, (128, 168, 190)),
                (0.47, (250, 204, 146)),
                (0.60, (255, 168, 96)),
            ],
        )
    )
    away = canvas.distance(*_SUN)
    streaks = canvas.noise(rng, 0.10, 5, stretch=7.0)
    streaks += 0.35 * canvas.noise(rng, 0.03, 3, stretch=5.0)
    cover = smoothstep(0.62, 1.15, streaks) * smoothstep(-0.25, 0.2, canvas.y)
    tint = ramp(away, [(0.0, (255, 226, 160)), (0.5, (255, 170, 140)), (1.2, (206, 196, 214))])
    canvas.paint(tint, 0.8 * cover)
    canvas.light((70, 56, 30), 0.75 * np.exp(-away / 0.16) + 0.3 * np.exp(-away / 0.6))
    canvas.paint((255, 250, 224), canvas.disc(*_SUN, 0.056))
    return canvas.finish(motion)


def _clouds(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], -0.1, span[1], 0.5, density)
    for place in np.linspace(*span, 7):
        x, y = place + rng.uniform(-0.1, 0.1), rng.uniform(0.10, 0.26)
        size = rng.uniform(0.035, 0.07)
        for _ in range(14):
            # Puffs stand on a flat base, the large ones in the middle.
            along = rng.normal(0, 1.1)
            radius = size * rng.uniform(0.45, 1.0) * np.exp(-0.3 * along**2)
            puff_x, puff_y = x + along * 1.6 * size, y - 0.75 * radius
            part = canvas.near(puff_x, puff_y, radius)
            mask = part.disc(puff_x, puff_y, radius) * part.inside(part.y - y)
            shade = smoothstep(puff_y - radius, puff_y + 1.3 * radius, part.y)
            part.paint(
                ramp(
                    shade,
                    [
                        (0, (255, 246, 228)),
                        (0.6, (250, 208, 180)),
                        (1, (186, 160, 186)),
                    ],
                ),
                mask,
            )
    return canvas.finish(motion)


def _mountains(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], 0.22, span[1], 0.75, density)
    for base, height, colors, snow in (
        (0.47, 0.10, ((122, 128, 172), (224, 180, 166)), True),
        (0.53, 0.055, ((84, 100, 140), (190, 150, 140)), False),
    ):
        ridge = base - height * curve(canvas.x, rng, 0.9, 6)
        light = canvas.relief(rng, 0.10) * 0.5 + 0.5
        rock = ramp(light, [(0.1, colors[0]), (1.0, colors[1])])
        canvas.paint(rock, canvas.below(ridge))
        if snow:
            line = 0.42 + 0.05 * canvas.noise(rng, 0.05)
            canvas.paint(
                ramp(light, [(0, (168, 178, 214)), (1, (255, 236, 222))]),
                canvas.below(ridge) * smoothstep(0.012, -0.012, canvas.y - line),
            )
    haze = smoothstep(0.42, _HORIZON, canvas.y)
    canvas.light((60, 34, 6), haze)
    return canvas.finish(motion)


def _hills(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], 0.35, span[1], 0.70, density)
    for base, height, dark, bright in (
        (0.565, 0.035, (58, 92, 84), (150, 150, 92)),
        (0.60, 0.030, (38, 74, 52), (158, 152, 66)),
    ):
        ridge = base - height * curve(canvas.x, rng, 1.3, 4)
        fields = canvas.noise(rng, 0.06, 4, stretch=4.0) * 0.6 + 0.4 * canvas.relief(rng, 0.03)
        canvas.paint(ramp(fields, [(0.0, dark), (0.8, bright)]), canvas.below(ridge))
        for _ in range(70):
            column = rng.integers(canvas.shape[1])
            x, y = canvas.x[0, column], ridge[0, column] + rng.uniform(0, 0.03)
            _bush(canvas, rng, x, y, rng.uniform(0.008, 0.018), dark)
    return canvas.finish(motion)


def _bush(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius: float, dark: Color
) -> None:
    """A small tree: a dark ball with a sunlit side."""
    part = canvas.near(x, y - radius, 2 * radius)
    part.paint(dark, part.disc(x, y - radius, radius, 1.25))
    lit = rng.uniform(0.7, 1.0)
    part.paint(
        (168 * lit, 156 * lit, 62 * lit),
        0.8 * part.disc(x + 0.25 * radius, y - 1.3 * radius, 0.55 * radius, 1.2),
    )


def _water(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(span[0], _HORIZON, span[1], 1.0 + MARGIN, density)
    canvas.paint(
        ramp(
            canvas.y,
            [
                (_HORIZON, (250, 186, 124)),
                (0.68, (176, 158, 150)),
                (0.80, (74, 122, 146)),
                (1.1, (26, 72, 104)),
            ],
        )
    )
    # Waves get longer and wider apart towards the viewer: noise over the logarithm of the depth.
    for cell, bright, amount in ((0.018, (255, 214, 168), 0.5), (0.035, (20, 58, 96), 0.55)):
        stripes = canvas.noise(rng, cell, 3, stretch=7.0)
        near = smoothstep(_HORIZON, 1.0, canvas.y)
        far_stripes = canvas.noise(rng, cell * 0.4, 3, stretch=12.0)
        pattern = near * stripes + (1 - near) * far_stripes
        canvas.paint(bright, amount * smoothstep(0.58, 0.85, pattern))
    path = np.exp(-(((canvas.x - _SUN[0]) / (0.05 + 0.35 * (canvas.y - _HORIZON))) ** 2))
    sparkle = smoothstep(0.50, 0.75, canvas.noise(rng, 0.016, 3, stretch=5.0))
    canvas.paint((255, 236, 184), 0.9 * path * sparkle)
    return canvas.finish(motion)
