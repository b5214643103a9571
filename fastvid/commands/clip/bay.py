"""The first shot: a bay in the evening sun, with a sailing boat and a hot-air balloon."""

import numpy as np

from fastvid.commands.clip.canvas import Canvas, Color, curve, ramp, smoothstep
from fastvid.commands.clip.layers import Layer, Motion
from fastvid.commands.clip.motions import Camera, translation, turning, wave

_HORIZON = 0.60
_SUN = (0.74, 0.385)
# How far the layers reach beyond the frame, in frame heights, so that no camera move bares an edge.
_MARGIN = 0.35


def build(aspect: float, pixels_per_unit: float, rng: np.random.Generator) -> list[Layer]:
    """The layers of the shot, back to front, for a frame of that width / height."""
    camera = Camera(
        center=(aspect / 2, 0.5),
        pan=lambda t: -0.16 * wave(t, 9.0, -0.1) - 0.09,
        tilt=lambda t: 0.012 * wave(t, 5.0),
        zoom=lambda t: 1.05 + 0.05 * wave(t, 11.0, -0.15),
    )
    span = (-_MARGIN, aspect + _MARGIN)
    return [
        _sky(span, pixels_per_unit, rng, camera.seeing(0.10)),
        _clouds(span, pixels_per_unit, rng, camera.seeing(0.16, _drift(0.02))),
        _mountains(span, pixels_per_unit, rng, camera.seeing(0.24)),
        _balloon(0.30 * aspect, 0.25, 0.105, pixels_per_unit, camera.seeing(0.45, _float_up)),
        _hills(span, pixels_per_unit, rng, camera.seeing(0.42)),
        _water(span, pixels_per_unit, rng, camera.seeing(0.55)),
        _boat(
            0.60 * aspect, 0.76, 0.34, pixels_per_unit, camera.seeing(0.75, _sail(0.60 * aspect))
        ),
        _shore(span, pixels_per_unit, rng, camera.seeing(1.25)),
        _pine(0.10 * aspect, pixels_per_unit, rng, camera.seeing(1.6)),
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
    canvas = Canvas(span[0], -_MARGIN, span[1], 0.75, density)
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
    canvas = Canvas(span[0], _HORIZON, span[1], 1.0 + _MARGIN, density)
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


def _balloon(x: float, y: float, radius: float, density: float, motion: Motion) -> Layer:
    canvas = Canvas(x - 1.3 * radius, y - 1.3 * radius, x + 1.3 * radius, y + 2.2 * radius, density)
    drop = np.where(canvas.y > y, 0.82, 1.0)
    across = (canvas.x - x) / radius
    down = (canvas.y - y) / radius * drop
    # Towards the basket the envelope narrows to a cone.
    narrow = np.where(down > 0, 1 + 0.55 * np.clip(down, 0, 1) ** 2, 1.0)
    distance = (np.hypot(across * narrow, down) - 1) * radius
    envelope = canvas.inside(distance) * canvas.inside(canvas.y - (y + 1.12 * radius))
    girth = np.sqrt(np.clip(1 - down**2, 0.02, 1))
    slice_angle = np.arcsin(np.clip(across * narrow / girth, -1, 1))
    gore = np.floor((slice_angle / np.pi + 0.5) * 9).astype(int) % 3
    palette = np.array([(214, 62, 44), (247, 190, 66), (244, 232, 206)], np.float32)
    light = np.clip(0.78 + 0.45 * across - 0.22 * down, 0.35, 1.15)
    canvas.paint(np.clip(palette[gore] * light[..., None], 0, 255), envelope)
    band = canvas.inside(np.abs(canvas.y - (y + 0.10 * radius)) - 0.10 * radius)
    canvas.paint(np.clip(np.array((40, 78, 128)) * light[..., None], 0, 255), band * envelope)
    bottom = y + 1.12 * radius
    basket_top, half = y + 1.62 * radius, 0.16 * radius
    for side in (-1, 0, 1):
        rope = [(x + side * 0.45 * radius, bottom), (x + side * half, basket_top)]
        width = 0.018 * radius
        canvas.paint(
            (70, 50, 40),
            canvas.polygon(
                [
                    (rope[0][0] - width, rope[0][1]),
                    (rope[0][0] + width, rope[0][1]),
                    (rope[1][0] + width, rope[1][1]),
                    (rope[1][0] - width, rope[1][1]),
                ]
            ),
        )
    canvas.paint(
        (122, 78, 44),
        canvas.polygon(
            [
                (x - half, basket_top),
                (x + half, basket_top),
                (x + 0.85 * half, basket_top + 0.26 * radius),
                (x - 0.85 * half, basket_top + 0.26 * radius),
            ]
        ),
    )
    return canvas.finish(motion)


def _boat(x: float, y: float, size: float, density: float, motion: Motion) -> Layer:
    canvas = Canvas(x - 0.7 * size, y - 1.15 * size, x + 0.7 * size, y + 0.45 * size, density)

    def at(*points: tuple[float, float]) -> np.ndarray:
        return canvas.polygon([(x + px * size, y + py * size) for px, py in points])

    canvas.paint((58, 84, 104), 0.85 * at((-0.40, 0.10), (0.36, 0.10), (0.22, 0.22), (-0.26, 0.22)))
    canvas.paint((196, 178, 152), 0.6 * at((-0.06, 0.16), (0.26, 0.16), (0.12, 0.34), (0.0, 0.34)))
    canvas.paint((84, 54, 36), at((-0.012, -1.08), (0.012, -1.08), (0.016, 0.0), (-0.016, 0.0)))
    main_sail = at((0.03, -1.02), (0.10, -0.80), (0.30, -0.42), (0.47, -0.10), (0.03, -0.07))
    along = np.clip((canvas.x - x) / (0.47 * size), 0, 1)
    canvas.paint(
        ramp(along, [(0, (255, 244, 218)), (0.6, (250, 220, 176)), (1, (222, 172, 132))]), main_sail
    )
    stripes = canvas.inside(0.022 * size - np.abs((canvas.y - y) / 1.0 + 0.36 * size))
    canvas.paint((196, 64, 48), main_sail * (1 - stripes))
    jib = at((-0.03, -0.94), (-0.03, -0.10), (-0.42, -0.08), (-0.24, -0.40))
    canvas.paint(
        ramp(along + (x - canvas.x) / (0.42 * size), [(0, (210, 82, 56)), (1, (158, 46, 44))]), jib
    )
    hull = at(
        (-0.50, -0.05), (0.46, -0.05), (0.40, 0.08), (0.30, 0.13), (-0.30, 0.13), (-0.42, 0.06)
    )
    depth = np.clip((canvas.y - y) / (0.13 * size), 0, 1)
    canvas.paint(ramp(depth, [(0, (112, 66, 40)), (0.5, (84, 44, 34)), (1, (40, 28, 36))]), hull)
    rail = at((-0.50, -0.055), (0.46, -0.055), (0.45, -0.02), (-0.48, -0.02))
    canvas.paint((240, 214, 170), rail)
    return canvas.finish(motion)


def _shore(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    canvas = Canvas(2 * span[0], 0.62, span[1] - 2 * span[0], 1.0 + _MARGIN, density)
    bank = 0.93 - 0.035 * curve(canvas.x, rng, 1.6, 4) - 0.10 * np.exp(-((canvas.x / 0.55) ** 2))
    grass = canvas.noise(rng, 0.02, 4, stretch=0.35) * 0.55 + 0.45 * canvas.relief(rng, 0.03)
    canvas.paint(
        ramp(grass, [(-0.1, (20, 38, 30)), (0.4, (64, 86, 40)), (0.9, (176, 150, 62))]),
        canvas.below(bank),
    )
    for _ in range(420):
        column = rng.integers(canvas.shape[1])
        x, y = float(canvas.x[0, column]), float(bank[0, column]) + rng.uniform(-0.005, 0.25)
        height, lean = rng.uniform(0.03, 0.085), rng.uniform(-0.025, 0.035)
        shade = rng.uniform(0.5, 1.1)
        blade = [
            (x - 0.003, y),
            (x + 0.5 * lean, y - 0.6 * height),
            (x + lean, y - height),
            (x + 0.5 * lean + 0.004, y - 0.55 * height),
            (x + 0.003, y),
        ]
        part = canvas.near(x, y, 0.1)
        part.paint((110 * shade, 122 * shade, 50 * shade), part.polygon(blade))
    for _ in range(60):
        column = rng.integers(canvas.shape[1])
        x, y = float(canvas.x[0, column]), float(bank[0, column]) + rng.uniform(0.0, 0.2)
        color = ((236, 86, 66), (250, 206, 92), (240, 226, 236))[rng.integers(3)]
        part = canvas.near(x, y, 0.01)
        part.paint(color, part.disc(x, y, rng.uniform(0.004, 0.009)))
    return canvas.finish(motion)


def _pine(x: float, density: float, rng: np.random.Generator, motion: Motion) -> Layer:
    """A tall umbrella pine close to the camera."""
    canvas = Canvas(x - 0.5, -0.15, x + 0.55, 1.2, density)
    trunk_y = np.linspace(0.16, 1.2, 24)
    trunk_x = x + 0.045 * np.sin(trunk_y * 3.1)
    thick = 0.022 * (0.6 + 0.7 * trunk_y)
    outline = np.concatenate(
        [np.stack([trunk_x - thick, trunk_y], 1), np.stack([trunk_x + thick, trunk_y], 1)[::-1]]
    )
    bark = canvas.noise(rng, 0.02, 4, stretch=0.3)
    lit = smoothstep(-0.02, 0.03, canvas.x - x - 0.045 * np.sin(canvas.y * 3.1))
    canvas.paint(
        ramp(0.5 * bark + 0.6 * lit, [(0, (38, 26, 26)), (1.0, (158, 98, 56))]),
        canvas.polygon(outline),
    )
    for _ in range(95):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
        puff_x = x + 0.06 + 0.34 * reach * np.cos(angle)
        puff_y = 0.09 + 0.115 * reach * np.sin(angle)
        radius = rng.uniform(0.025, 0.06)
        shade = np.clip(0.55 - 1.8 * (puff_y - 0.09) + 0.5 * (puff_x - x), 0.2, 1.0)
        part = canvas.near(puff_x, puff_y, 1.5 * radius)
        ragged = (part.noise(rng, 0.02, 3) - 0.5) * 0.03
        mask = part.inside(part.distance(puff_x, puff_y, 0.7) - radius + ragged)
        part.paint((96 * shade + 14, 112 * shade + 18, 44 * shade + 22), mask)
    return canvas.finish(motion)
