"""How long a boundary frame takes from one host to the next, whose rank sleeps until it comes.

    python benchmarks/hops.py --hosts 4 --rates 1000,10000      # as root

Hosts are network namespaces on this machine, a rank on each, with TCP between them and no faster
than the rate in Mbit/s; beside them as many ranks of one host. The method is in
benchmarks/README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.arguments import numbers_of, size_of
from harness.network_hosts import HostsUnavailable, NetworkHosts
from harness.result import Bar, Figure, add_json_option, measured, write_result

_BENCHMARKS = Path(__file__).resolve().parent
_TIMEOUT_S = 600
BAR = Bar(at_most=2.0)


def main() -> int:
    """Prints a line for one host and for every rate."""
    parsed = _parse()
    rows = []
    for rate in (None, *parsed.rates):
        row = {"rate": rate, **(_one_host(parsed) if rate is None else _hosts(parsed, rate))}
        rows.append(row)
        name = "one host" if rate is None else f"{parsed.hosts} hosts, {rate} Mbit/s"
        sys.stdout.write(
            f"{name:<24} {1e3 * row['median']:7.2f} ms a hop "
            f"({1e3 * row['low']:.2f} to {1e3 * row['high']:.2f})"
            f"{'' if row['rung_by_all'] else '; ranks look by themselves'}\n"
        )
        sys.stdout.flush()
    figures = list(_figures(parsed, rows))
    write_result(parsed.json, measured("hops", parsed, figures, {"rows": rows}))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--rates", type=numbers_of, default=[1000, 10000], help="Mbit/s")
    parser.add_argument("--size", type=size_of, default=(640, 360), metavar="WxH")
    parser.add_argument("--rounds", type=int, default=25)
    add_json_option(parser)
    return parser.parse_args()


def _one_host(parsed: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fastvid-hops-") as folder:
        return _measure(parsed, ["mpirun", "-n", str(parsed.hosts)], {}, Path(folder))


def _hosts(parsed: argparse.Namespace, rate: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fastvid-hops-") as folder:
        try:
            hosts = NetworkHosts(Path(folder), parsed.hosts, rate)
        except HostsUnavailable as reason:
            raise SystemExit(f"hops.py: {reason}") from reason
        with hosts:
            launch = [*hosts.launch_on_switch, "mpirun", "-n", str(parsed.hosts)]
            launch += hosts.launcher_options()
            return _measure(parsed, launch, hosts.environment, hosts.work)


def _measure(
    parsed: argparse.Namespace, launch: Sequence[str], more: dict[str, str], folder: Path
) -> dict[str, Any]:
    """What rank 0 has found. folder: where it runs and writes."""
    width, height = parsed.size
    result = folder / "hops.json"
    places = [str(_BENCHMARKS), str(_BENCHMARKS.parent)]
    environment = {**os.environ, **more, "PYTHONPATH": os.pathsep.join(places)}
    numbers = [str(number) for number in (height, width, parsed.rounds)]
    subprocess.run(
        [*launch, sys.executable, "-m", "harness.hopping", *numbers, str(result)],
        cwd=folder,
        env={**environment, "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def _figures(parsed: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> Iterator[Figure]:
    for row in rows:
        of: dict[str, str | int | float] = {"size": "{}x{}".format(*parsed.size)}
        if row["rate"] is not None:
            of.update(hosts=parsed.hosts, mbit_s=row["rate"])
        value, low, high = (1e3 * row[name] for name in ("median", "low", "high"))
        bar = None if row["rate"] is None else BAR
        yield Figure("hop", value, "ms", of, low=low, high=high, bar=bar)


if __name__ == "__main__":
    sys.exit(main())
