"""How fastvid scales: the real program on 2 to 64 ranks, with stages that sleep for given costs.

    python benchmarks/scaling.py --ranks 2,4,8,16,32,64 --json scaling.json --plot scaling.png
    mpirun -n 16 python benchmarks/scaling.py --cases uncut        # one point

Started alone, it starts mpirun once for each case and number of ranks, prints a table and writes
JSON and pictures. The method is in benchmarks/README.md.
"""

import argparse
import itertools
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastvid.parallel.mpi.launch import launched_rank, launched_size
from harness.arguments import numbers_of, size_of, sizes_of, words_among
from harness.carry import CARRIED_SIZES, PRESETS, WAYS, How, carry_figures, print_table
from harness.clips import make_clip
from harness.emulation import COSTS_FORM, costs_of, uneven_cuts
from harness.network_hosts import HostsUnavailable, NetworkHosts
from harness.point import PointSettings, read_point, run_point, start_point
from harness.result import Bar, Figure, add_json_option, measured, write_result
from harness.scaling_cases import CASES, DEFAULT_CASES
from harness.scaling_report import check_can_draw, format_row, heading, plot_efficiency
from harness.spans import draw_timeline, shares

_SIZE = (640, 360)
_FRAMES_MAX = 1920


def main() -> int:
    """Runs the series, or this rank's part in one point."""
    parsed = _parse()
    if launched_size(os.environ) > 1:
        return _one_point(parsed, launched_size(os.environ))
    if parsed.plot or parsed.timeline:
        check_can_draw()
    sys.stdout.write(heading())
    with _hosts(parsed) as hosts:
        points = list(_points(parsed, hosts))
    figures = [figure for point in points for figure in _figures(point)]
    figures += carry_figures(_carried(parsed))
    details = {
        "cases": {name: asdict(CASES[name]) for name in parsed.cases},
        "points": [_without_segments(point) for point in points],
    }
    write_result(parsed.json, measured("scaling", parsed, figures, details))
    if parsed.plot:
        bars = {name: (CASES[name].title, CASES[name].bars) for name in parsed.cases}
        plot_efficiency(points, bars, parsed.plot)
    return 0


@contextmanager
def _hosts(parsed: argparse.Namespace) -> Iterator[NetworkHosts | None]:
    """The hosts on which ranks run; None for this one."""
    if parsed.hosts is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="fastvid-hosts-") as folder:
        try:
            hosts = NetworkHosts(Path(folder), parsed.hosts, parsed.rate)
        except HostsUnavailable as reason:
            raise SystemExit(f"scaling.py: {reason}") from reason
        with hosts:
            yield hosts


def _points(parsed: argparse.Namespace, hosts: NetworkHosts | None) -> Iterator[dict[str, Any]]:
    """The points of the series, each shown when it is measured."""
    for name, ranks in itertools.product(parsed.cases, parsed.ranks):
        for _ in range(parsed.repeats):
            point = _point(parsed, name, ranks, hosts)
            yield point
            sys.stdout.write(format_row(point))
            sys.stdout.flush()
            if parsed.timeline and ranks == max(parsed.ranks):
                path = parsed.timeline.with_stem(f"{parsed.timeline.stem}-{name}-{ranks}")
                draw_timeline(point["segments"], ranks, path)


def _figures(point: dict[str, Any]) -> Iterator[Figure]:
    """What is told of a point."""
    of = {"case": point["case"], "ranks": point["ranks"]}
    bar = None if point["bar"] is None else Bar(at_least=point["bar"])
    yield Figure("efficiency", point["efficiency"], "ratio", of, bar=bar)
    if (counted := point["efficiency_with_encoding"]) > point["efficiency"]:
        yield Figure("efficiency, encoding counted", counted, "ratio", of)
    yield Figure("speed-up", point["speed_up"], "ratio", of)
    yield Figure("time", point["seconds"], "s", of)
    yield Figure("frames", point["frames"], "frames", of)
    yield Figure("store", point["store_share"], "of the time", of)
    yield Figure("sent", point["sent_frames"], "frames a frame", of)
    for name, share in point["shares"].items():
        yield Figure(name, share, "of ranks x time", of)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=numbers_of, default=[2, 4, 8, 16, 32, 64])
    parser.add_argument(
        "--cases", type=words_among(CASES), default=DEFAULT_CASES, help=f"of {','.join(CASES)}"
    )
    parser.add_argument(
        "--cost",
        type=costs_of,
        metavar=COSTS_FORM,
        help="seconds a frame instead of those of the case",
    )
    parser.add_argument(
        "--frames",
        type=int,
        help="instead of 60 a rank (recurrent: 120, recurrent-exact: 4), at most 1920",
    )
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument(
        "--carry",
        type=sizes_of,
        default=sizes_of(CARRIED_SIZES),
        metavar="WxH,...",
        help="sizes for which it is measured how many frames a "
        "second rank 0 alone can carry ('' for none)",
    )
    _add_how(parser)
    add_json_option(parser)
    parser.add_argument("--plot", type=Path, help="a .png file")
    parser.add_argument(
        "--timeline", type=Path, help="a .png file; case and number of ranks are added to its name"
    )
    return parser.parse_args()


def _add_how(parser: argparse.ArgumentParser) -> None:
    """The options of where and how the job is run."""
    parser.add_argument(
        "--hosts",
        type=int,
        help="network namespaces as hosts, with TCP between them, in place of one host; as root",
    )
    parser.add_argument("--rate", type=int, help="Mbit/s that each of them sends at most")
    parser.add_argument("--size", type=size_of, default=_SIZE, metavar="WxH", help="of the frames")
    parser.add_argument(
        "--bands",
        type=int,
        help="in which the temporal pass takes a frame, in place of as many as suit its size: for "
        "the costs of large frames where small ones travel",
    )
    parser.add_argument("--decode", default="rank0", help="who decodes")
    parser.add_argument("--segment-length", type=int)
    parser.add_argument("--lookahead", type=int)
    parser.add_argument("--codec", default="libx264")
    parser.add_argument("--preset", default="ultrafast", help="of the encoder; '' for its default")
    parser.add_argument(
        "--folder",
        type=Path,
        help="for run files and outputs (default: a new one in the folder for temporary files)",
    )
    parser.add_argument(
        "--nice",
        type=int,
        default=0,
        help="nice value of the ranks; below 0 (as "
        "root) they need not wait for what else runs on this machine",
    )


def _carried(parsed: argparse.Namespace) -> list[dict[str, Any]]:
    """What rank 0 alone can carry, by size, under the table of the series."""
    if not parsed.carry:
        return []
    sys.stdout.write("\nrank 0 alone: frames/s with one core, and with one for each thread\n")
    how = How(repeats=parsed.repeats, nice=parsed.nice, folder=parsed.folder)
    return print_table(parsed.carry, WAYS, PRESETS, how)


def _one_point(parsed: argparse.Namespace, ranks: int) -> int:
    """This rank's part in the point of the first case."""
    folder = Path(tempfile.gettempdir()) / f"fastvid-scaling-{os.getppid()}"
    folder.mkdir(exist_ok=True)
    leads = launched_rank(os.environ) == 0
    status = run_point(_settings(parsed, parsed.cases[0], ranks, folder, make=leads))
    if leads:
        point = _judged(read_point(folder), parsed.cases[0], parsed.size)
        sys.stdout.write(heading() + format_row(point))
        shutil.rmtree(folder)
    return status


def _point(
    parsed: argparse.Namespace, name: str, ranks: int, hosts: NetworkHosts | None
) -> dict[str, Any]:
    """One point of the series, on ranks of its own."""
    with tempfile.TemporaryDirectory(prefix="fastvid-scaling-", dir=parsed.folder) as folder:
        settings = _settings(parsed, name, ranks, Path(folder), make=True)
        return _judged(start_point(settings, ranks, hosts), name, parsed.size)


def _settings(
    parsed: argparse.Namespace, name: str, ranks: int, folder: Path, make: bool
) -> PointSettings:
    """The settings of a point. make: make the clip and the file of cuts, which rank 0 needs."""
    case = CASES[name]
    frames = parsed.frames or min(_FRAMES_MAX, case.frames_a_rank * ranks)
    clip, cuts = "", "none"
    if make:
        clip = str(make_clip(parsed.size, frames))
        if case.shots > 1:
            cuts = str(folder / "cuts.txt")
            lines = "\n".join(str(cut) for cut in uneven_cuts(frames, case.shots))
            Path(cuts).write_text(lines + "\n", encoding="utf-8")
    return PointSettings(
        clip=clip,
        cuts=cuts,
        folder=str(folder),
        costs=parsed.cost or case.costs,
        slow=case.slow,
        codec=parsed.codec,
        preset=parsed.preset or None,
        segment_length=parsed.segment_length,
        lookahead=parsed.lookahead,
        pipeline=case.pipeline,
        nice=parsed.nice,
        decode=parsed.decode,
        bands=parsed.bands,
    )


def _judged(point: dict[str, Any], name: str, size: tuple[int, int]) -> dict[str, Any]:
    """A point with its bar and with where the time went."""
    cpu_shares = [fact["cpu_seconds"] / fact["seconds"] for fact in point["rank_facts"]]
    return {
        **point,
        "case": name,
        "bar": CASES[name].bars.get(point["ranks"]),
        "cpu_share_rank0": cpu_shares[0],
        "cpu_share_others": statistics.median(cpu_shares[1:] or [0.0]),
        "shares": shares(point["segments"], point["ranks"]),
        "store_share": point["rank0_seconds"]["store"] / point["seconds"],
        "sent_frames": _sent_frames(point, size),
    }


def _sent_frames(point: dict[str, Any], size: tuple[int, int]) -> float:
    """What all ranks have sent, in frames, for each frame of the film."""
    sent: int = sum(fact["bytes_sent"] for fact in point["rank_facts"])
    frames: int = point["frames"]
    return sent / (size[0] * size[1] * 3) / frames


def _without_segments(point: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in point.items() if key not in ("segments", "rank_facts")}


if __name__ == "__main__":
    sys.exit(main())
