"""What stands and floats in the village: barges, lanterns, cypresses."""

import numpy as np

from fastvid.commands.clip.canvas import Canvas, curve, ramp, smoothstep
from fastvid.commands.clip.layers import Layer, Motion


def barge(x: float, y: float, size: float, density: float, motion: Motion) -> Layer:
    """A barge with its rower."""
    canvas = Canvas(x - 0.75 * size, y - 0.8 * size, x + 0.75 * size, y + 0.5 * size, density)

    def at(*points: tuple[float, float]) -> np.ndarray:
        return canvas.polygon([(x + px * size, y + py * size) for px, py in points])

    lamp = (x + 0.46 * size, y - 0.34 * size)
    canvas.paint((255, 186, 84), 0.7 * at((0.40, 0.16), (0.52, 0.16), (0.49, 0.42), (0.43, 0.42)))
    hull = at(
        (-0.64, -0.10), (-0.50, 0.02), (0.46, 0.02), (0.64, -0.12), (0.48, 0.15), (-0.46, 0.15)
    )
    depth = (canvas.y - y) / (0.15 * size)
    canvas.paint(ramp(depth, [(-0.6, (120, 76, 62)), (0.4, (66, 40, 52)), (1, (26, 22, 46))]), hull)
    # The boatman: coat, head and hat, and the pole that he pushes with.
    canvas.paint((60, 42, 40), at((-0.02, -0.62), (0.005, -0.62), (-0.20, 0.30), (-0.23, 0.30)))
    canvas.paint((40, 60, 104), at((-0.22, 0.04), (-0.17, -0.26), (-0.07, -0.27), (0.0, 0.04)))
    canvas.paint((224, 172, 132), canvas.disc(x - 0.115 * size, y - 0.31 * size, 0.042 * size))
    canvas.paint((176, 130, 66), at((-0.21, -0.33), (-0.115, -0.42), (-0.02, -0.33)))
    canvas.paint((50, 36, 40), at((0.45, 0.0), (0.45, -0.46), (0.47, -0.46), (0.47, 0.0)))
    canvas.light((120, 70, 16), np.exp(-canvas.distance(*lamp) / (0.25 * size)))
    canvas.paint((255, 214, 120), 0.42 * np.exp(-((canvas.distance(*lamp) / (0.10 * size)) ** 2)))
    canvas.paint((255, 240, 190), canvas.disc(*lamp, 0.055 * size, 1.25))
    return canvas.finish(motion)


def lantern(
    x: float, y: float, size: float, density: float, rng: np.random.Generator, motion: Motion
) -> Layer:
    """A paper lantern."""
    canvas = Canvas(x - 2.4 * size, y - 2.4 * size, x + 2.4 * size, y + 2.4 * size, density)
    halo = 0.40 * np.exp(-((canvas.distance(x, y) / (1.15 * size)) ** 2))
    canvas.paint((255, 170, 70), halo * smoothstep(2.4 * size, 1.6 * size, canvas.distance(x, y)))
    body = canvas.polygon(
        [
            (x - 0.62 * size, y - 0.80 * size),
            (x - 0.35 * size, y - 1.05 * size),
            (x + 0.35 * size, y - 1.05 * size),
            (x + 0.62 * size, y - 0.80 * size),
            (x + 0.74 * size, y - 0.1 * size),
            (x + 0.50 * size, y + 0.90 * size),
            (x - 0.50 * size, y + 0.90 * size),
            (x - 0.74 * size, y - 0.1 * size),
        ]
    )
    paper = canvas.noise(rng, 0.4 * size, 3) * 0.25
    heat = (canvas.y - y) / size + paper
    canvas.paint(
        ramp(heat, [(-1.0, (190, 66, 36)), (0.0, (246, 142, 52)), (0.9, (255, 234, 150))]), body
    )
    for rib in (-0.36, 0.0, 0.36):
        line = canvas.inside(np.abs(canvas.x - x - rib * size * (1 - 0.3 * heat)) - 0.025 * size)
        canvas.paint((150, 60, 30), 0.6 * line * body)
    canvas.paint(
        (120, 44, 30),
        canvas.polygon(
            [
                (x - 0.52 * size, y + 0.84 * size),
                (x + 0.52 * size, y + 0.84 * size),
                (x + 0.48 * size, y + 0.98 * size),
                (x - 0.48 * size, y + 0.98 * size),
            ]
        ),
    )
    return canvas.finish(motion)


def cypress(x: float, density: float, rng: np.random.Generator, motion: Motion) -> Layer:
    """A cypress in front."""
    """A dark flame of a tree, close to the camera, and the bank that it stands on."""
    canvas = Canvas(x - 0.9, -0.1, x + 0.6, 1.3, density)
    flame = 0.115 * np.clip((canvas.y + 0.02) / 0.6, 0, 1) ** 0.8
    sway = 0.02 * np.sin(canvas.y * 9) + 0.012 * np.sin(canvas.y * 23 + 1)
    ragged = (canvas.noise(rng, 0.035, 4) - 0.5) * 0.05
    distance = np.abs(canvas.x - x - sway) - flame + ragged
    strands = canvas.noise(rng, 0.05, 4, stretch=0.16)
    leaves = ramp(strands, [(0.1, (8, 16, 26)), (0.6, (24, 50, 46)), (1.0, (72, 98, 62))])
    canvas.paint(leaves, canvas.inside(distance))
    bank = 0.97 - 0.10 * np.exp(-(((canvas.x - x) / 0.35) ** 2)) + 0.02 * curve(canvas.x, rng, 0.5)
    grass = canvas.noise(rng, 0.03, 4, stretch=0.4)
    canvas.paint(ramp(grass, [(0, (10, 18, 32)), (1, (44, 66, 60))]), canvas.below(bank))
    return canvas.finish(motion)
