"""What stands and floats in the bay: balloons, boats, the near shore and its pines."""

import numpy as np

from fastvid.commands.clip.canvas import MARGIN, Canvas, curve, ramp, smoothstep
from fastvid.commands.clip.layers import Layer, Motion


def balloon(x: float, y: float, radius: float, density: float, motion: Motion) -> Layer:
    """A hot-air balloon."""
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


def boat(x: float, y: float, size: float, density: float, motion: Motion) -> Layer:
    """A sailing boat."""
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


def shore(
    span: tuple[float, float], density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    """The grassy bank in front."""
    canvas = Canvas(2 * span[0], 0.62, span[1] - 2 * span[0], 1.0 + MARGIN, density)
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


def pine(x: float, density: float, rng: np.random.Generator, motion: Motion) -> Layer:
    """A pine on the bank."""
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
