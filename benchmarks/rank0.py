"""How many frames a second rank 0 can carry: decode, cuts, deal, gather, store and encode alone.

    python benchmarks/rank0.py --sizes 1280x720,1920x1080 --json rank0.json
    python benchmarks/rank0.py --sizes 640x360,1280x720 --ways rank0:auto,local:auto,local:none
    python benchmarks/rank0.py --presets medium --encoders others

A way is who decodes and how cuts are found: with local:none rank 0 decodes nothing. One other rank
"computes" without taking time, rank 0 computes nothing. What counts is the processor
time of each of rank 0's threads, which a busy machine hardly changes; the method is in
benchmarks/README.md.
"""

import argparse
import sys
from pathlib import Path

from harness.arguments import sizes_of, words_among, words_of
from harness.carry import (
    CARRIED_SIZES,
    ENCODERS,
    PRESETS,
    WAYS,
    How,
    carry_figures,
    print_table,
)
from harness.result import add_json_option, measured, write_result


def main() -> int:
    """Measures each size and prints the table."""
    parsed = _parse()
    how = How(parsed.frames, parsed.repeats, parsed.nice, parsed.folder)
    results = print_table(parsed.sizes, parsed.ways, parsed.presets, how, parsed.encoders)
    write_result(parsed.json, measured("rank0", parsed, list(carry_figures(results))))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=sizes_of, default=sizes_of(CARRIED_SIZES))
    parser.add_argument(
        "--ways",
        type=words_of,
        default=list(WAYS),
        help="who decodes and how cuts are found, such as local:none",
    )
    parser.add_argument("--presets", type=words_of, default=list(PRESETS), help="of libx264")
    parser.add_argument(
        "--encoders",
        type=words_among(("rank0", "others")),
        default=list(ENCODERS),
        help="who encodes: rank0, or the others, for which it reads and sends the frames",
    )
    parser.add_argument("--frames", type=int, default=How.frames)
    parser.add_argument("--repeats", type=int, default=How.repeats)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where run files are written")
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
