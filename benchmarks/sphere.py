"""What a sphere gains by being painted as one: the rows of docs/sphere.md.

The generated film of 360 degrees (`fastvid clip --sphere`) has exact flow, so that every figure has
its truth. Each is given beside what flat painting of the same frames has. With one thread.
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np

from fastvid.commands.clip.sphere import SphereClip, tilted, turned
from fastvid.motion.occlusion import consistency_mask
from fastvid.motion.source import EstimatedMotion, MotionSource
from fastvid.motion.warp import sample, sampling_map
from fastvid.sphere.caps import Circle
from fastvid.sphere.motion import SphereMotion
from fastvid.sphere.painting import painter_of
from fastvid.sphere.projection import Sphere
from fastvid.sphere.seam import seam_jumps, seam_ratio
from fastvid.stages.eyes import plan_filter
from fastvid.style.loading import load_style
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.painter import Painter
from fastvid.style.scale import stroke_at_own_size
from harness.result import Bar, Figure, add_json_option, measured, write_result
from harness.sphere_eyes import eyes_apart
from harness.sphere_views import anisotropy, colour_apart, rolled, seen, view

SPHERE = Sphere("equirect")
STRENGTH = 0.85
SEAM_PX = 16
BAND_DEGREES, POLE_DEGREES = 40, 75
# How far the camera turns a frame, to the right and upwards, degrees.
SLOW, FAST = (1.0, 0.4), (7.0, 3.0)
ROLLED = rolled(np.radians(30))
COSTS = ("painting", "motion", "serial step")
# The most that figures of spheres may be; costs over those of flat painting by width.
BARS = {
    "turned, mean, levels": 0.3,
    "turned, largest, levels": 3,
    "jump over the film's": 1.15,
    "jump at the back over the same place painted ahead": 1.15,
    "latitude 45, levels": 1.5,
    "north pole, levels": 1.5,
    "south pole, levels": 1.5,
    "north pole, around : along": 1.15,
    "south pole, around : along": 1.15,
    "over frame to frame": 1.2,
    "flow off, seam": 0.01,
    "flow off, poles": 0.05,
    "seam over band": 1.1,
    "poles over band": 1.1,
}
COST_BARS = {1024: (1.3, 1.6, 1.3), 2048: (1.1, 1.2, 1.3), 3840: (1.0, 1.0, 1.3)}


def main() -> int:
    """Prints the figures beside their bars."""
    parsed = _parse()
    set_threads(1)
    styles = parsed.styles.split(",")
    figures: list[Figure] = []
    for name in styles:
        figures += _figures(turned_by_half(parsed.width, name), {"style": name})
    for name in styles[:2]:
        figures += _figures(colour_by_orientation(parsed.width, name), {"style": name})
    figures += _figures(flow_of_a_fast_camera(parsed.width), {"camera": "fast"})
    for name, speed in (("slow", SLOW), ("fast", FAST)):
        found = temporal(parsed.width, styles[0], parsed.pairs, speed)
        figures += _figures(found, {"camera": name})
    for name in styles[:2]:
        found = eyes_apart(parsed.width // 2, name, parsed.pairs, STRENGTH)
        figures += _figures(found, {"style": name})
    for width in (int(text) for text in parsed.cost_widths.split(",") if text):
        bars = dict(zip(COSTS, COST_BARS[width], strict=True)) if width in COST_BARS else {}
        figures += _figures(cost(width, styles[0]), {"width": width}, bars)
    for figure in figures:
        about = " ".join(str(value) for value in figure.of.values())
        bar = "" if figure.bar is None else f" ({figure.bar})"
        print(f"{about:>14}  {figure.name}: {figure.value:.3f}{bar}")
    write_result(parsed.json, measured("sphere", parsed, figures))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--styles", default="starry_night,the_scream,wave,udnie,minotaur")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--cost-widths", default="1024,2048,3840")
    add_json_option(parser)
    return parser.parse_args()


def _figures(
    found: dict[str, float], of: dict[str, str | int], bars: dict[str, float] | None = None
) -> list[Figure]:
    """Measured values, with the bars that those of spheres have."""
    most = BARS if bars is None else bars
    figures = []
    for name, value in found.items():
        way, _, what = name.partition(": ")
        limit = most.get(what) if way not in ("flat", "eyes apart") else None
        unit = "levels" if "levels" in what else "ratio"
        figures.append(
            Figure(name, value, unit, of, bar=None if limit is None else Bar(at_most=limit))
        )
    return figures


def both_ways(model: StyleModel, height: int, width: int) -> dict[str, Painter]:
    """The painters that are compared, both of frames at their own size."""
    own = stroke_at_own_size(height, width)
    return {
        "flat": painter_of(model, own, None),
        "sphere": painter_of(model, stroke_at_own_size(height // 2, width), SPHERE),
    }


def rows_within(height: int, degrees: float) -> np.ndarray:
    """Which rows lie nearer to the equator than so many degrees, (height,) bool."""
    latitude = np.degrees(Circle(2 * height, half=False).latitudes())
    within: np.ndarray = np.abs(latitude) < degrees
    return within


def turned_by_half(width: int, style: str) -> dict[str, float]:
    """A frame, and the same turned by 180 degrees, painted: their difference at the seam, and the
    jump from the last column to the first one.

    The jump is compared with that of the same place where it was painted straight ahead, and no
    seam can be. The film's own says little: what lies at the back by chance has half the contrast
    of its neighbours, and paint has a contrast of its own.
    """
    frame = SphereClip(width, width // 2, frame_count=9).frame(8)
    rows = rows_within(width // 2, BAND_DEGREES)
    seam = [*range(SEAM_PX), *range(width - SEAM_PX, width)]
    film = seam_ratio(frame, SPHERE) or 1.0
    found = {"film: jump at the back over its neighbours": film}
    for name, painter in both_ways(load_style(style), width // 2, width).items():
        painted = painter.paint([frame])[0]
        again = np.roll(painter.paint([np.roll(frame, width // 2, axis=1)])[0], width // 2, axis=1)
        apart = np.abs(again[rows].astype(int) - painted[rows])[:, seam]
        found[f"{name}: turned, mean, levels"] = float(apart.mean())
        found[f"{name}: turned, largest, levels"] = float(apart.max())
        (jump, beside), (ahead, _) = seam_jumps(painted), seam_jumps(again)
        found[f"{name}: jump at the back over its neighbours"] = jump / beside
        found[f"{name}: jump over the film's"] = jump / beside / film
        found[f"{name}: jump at the back over the same place painted ahead"] = jump / ahead
    return found


def colour_by_orientation(width: int, style: str) -> dict[str, float]:
    """Colour of one direction painted at latitude 45 and at a pole against straight ahead, and
    strokes at the pole around over along, low-passed: mean difference in levels.

    Networks paint what is turned in the picture in other colours, on flat films as well. So each is
    also given over the difference that a camera makes which looks straight ahead both times, the
    second time rolled.
    """
    clip = SphereClip(width, width // 2, frame_count=9)
    frame = clip.frame(8)
    around = [turned(np.radians(yaw)) @ tilted(np.radians(45)) for yaw in range(0, 360, 60)]
    places = {"latitude 45": around}
    for pole, angle in (("north pole", 90), ("south pole", -90)):
        places[pole] = [tilted(np.radians(angle))]
    found = {}
    for name, painter in both_ways(load_style(style), width // 2, width).items():
        painted = painter.paint([frame])[0]
        for place, poses in places.items():
            apart, rolling = [], []
            for pose in poses:
                level = view(painter.paint([seen(frame, pose)])[0], np.eye(3))
                there = view(painted, pose)
                apart.append(colour_apart(level, there))
                again = painter.paint([seen(frame, pose @ ROLLED)])[0]
                rolling.append(colour_apart(level, view(again, ROLLED.T)))
            found[f"{name}: {place}, levels"] = float(np.mean(apart))
            found[f"{name}: {place}, straight ahead but rolled, levels"] = float(np.mean(rolling))
            found[f"{name}: {place} over rolled"] = float(np.mean(apart) / np.mean(rolling))
            if "pole" in place:
                ratio = anisotropy(there) / anisotropy(level)
                found[f"{name}: {place}, around : along"] = ratio
    return found


def flow_of_a_fast_camera(width: int) -> dict[str, float]:
    """Share of pixels whose flow is wrong by more than one, at the seam and at the poles."""
    clip = SphereClip(width, width // 2, frame_count=10, turn=FAST[0], tilt=FAST[1])
    before, now, truth = clip.frame(7), clip.frame(8), clip.flow(8, 7)
    estimated = EstimatedMotion("dis-medium", 1.0, False)
    seam = [*range(SEAM_PX), *range(width - SEAM_PX, width)]
    level = np.cos(Circle(width, half=False).latitudes())[:, None]
    found = {}
    for name, source in (("flat", estimated), ("sphere", SphereMotion(SPHERE, estimated))):
        apart = source(now, before, 8)[0] - truth
        apart[..., 0] -= width * np.rint(apart[..., 0] / width)
        wrong = np.hypot(apart[..., 0] * level, apart[..., 1]) > 1
        found[f"{name}: flow off, seam"] = float(wrong[rows_within(width // 2, 45)][:, seam].mean())
        found[f"{name}: flow off, poles"] = float(
            wrong[~rows_within(width // 2, POLE_DEGREES)].mean()
        )
    return found


def temporal(width: int, style: str, pairs: int, speed: tuple[float, float]) -> dict[str, float]:
    """Temporal RMSE of finished frames along exact flow, in the band, at the seam, at the poles."""
    clip = SphereClip(width, width // 2, frame_count=pairs + 1, turn=speed[0], tilt=speed[1])
    estimated = EstimatedMotion("dis-medium", 1.0, False)
    model = load_style(style)
    found = {}
    for name, painter in both_ways(model, width // 2, width).items():
        sphere = SPHERE if name == "sphere" else None
        source: MotionSource = estimated
        if sphere is not None:
            source = SphereMotion(sphere, estimated)
        errors = _temporal_errors(clip, painter, source, sphere)
        band, seam, poles = np.sqrt(np.mean(errors, axis=0))
        found[f"{name}: band, levels"] = float(band)
        found[f"{name}: seam over band"] = float(seam / band)
        found[f"{name}: poles over band"] = float(poles / band)
    return found


def _temporal_errors(
    clip: SphereClip, painter: Painter, source: MotionSource, sphere: Sphere | None
) -> list[list[float]]:
    """Mean squares of each pair in band, seam and poles."""
    columns = np.zeros(clip.width, bool)
    columns[[*range(SEAM_PX), *range(clip.width - SEAM_PX, clip.width)]] = True
    band = rows_within(clip.height, BAND_DEGREES)
    poles = ~rows_within(clip.height, POLE_DEGREES)
    before = clip.frame(0)
    finished = painter.paint([before])[0]
    errors: list[list[float]] = []
    for number in range(1, clip.frame_count):
        frame, last = clip.frame(number), finished
        backward, reliable = source(frame, before, number)
        step = plan_filter(frame, before, backward, reliable, STRENGTH, sphere)
        finished = step.apply(painter.paint([frame])[0], last)
        truth = clip.flow(number, number - 1)
        follows = consistency_mask(truth, clip.flow(number - 1, number), wrap=True)
        moved = sample(last.astype(np.float32), sampling_map(truth, wrap=True), wrap=True)
        square = np.square(finished - moved).mean(axis=2)
        zones = (band[:, None] & ~columns, band[:, None] & columns, poles[:, None] & True)
        errors.append([float(square[follows & zone].mean()) for zone in zones])
        before = frame
    return errors


def cost(width: int, style: str) -> dict[str, float]:
    """Processor seconds a frame over those of the flat way: painting, motion, serial step."""
    height = width // 2
    clip = SphereClip(512, 256, frame_count=2)
    frame, before = (
        cv2.resize(clip.frame(number), (width, height), interpolation=cv2.INTER_CUBIC)
        for number in (1, 0)
    )
    model = load_style(style)
    painters = both_ways(model, height, width)
    estimated = EstimatedMotion("dis-medium", 1.0, False)
    sources: dict[str, MotionSource] = {
        "flat": estimated,
        "sphere": SphereMotion(SPHERE, estimated),
    }
    ways: dict[str, Callable[[str], object]] = {
        "painting": lambda name: painters[name].paint([frame]),
        "motion": lambda name: sources[name](frame, before, 1),
    }
    found = {}
    for stage, run in ways.items():
        seconds = {name: _best(run, name) for name in ("flat", "sphere")}
        found[f"cost: {stage}"] = seconds["sphere"] / seconds["flat"]
    steps = {}
    for name in ("flat", "sphere"):
        backward, reliable = sources[name](frame, before, 1)
        sphere = SPHERE if name == "sphere" else None
        steps[name] = plan_filter(frame, before, backward, reliable, STRENGTH, sphere)
    seconds = {name: _best(lambda which: steps[which].apply(frame, before), name) for name in steps}
    found["cost: serial step"] = seconds["sphere"] / seconds["flat"]
    return found


def _best(run: Callable[[str], object], name: str, times: int = 3) -> float:
    """The least processor seconds of some calls, after one that is not timed."""
    run(name)
    seconds = []
    for _ in range(times):
        began = time.process_time()
        run(name)
        seconds.append(time.process_time() - began)
    return min(seconds)


if __name__ == "__main__":
    raise SystemExit(main())
