"""Which rank did what when, from the table of segments in a run file: numbers and a picture.

    python benchmarks/timeline.py out.h5 -o timeline.png

The table holds for each segment and stage when it began and the seconds it took. Motion and paint
of a segment take turns frame by frame; a temporal pass of an earlier segment goes before them.
"""

import argparse
import sys
from pathlib import Path

from fastvid.runfile.reader import RunFile
from harness.result import Figure, add_json_option, measured, write_result
from harness.scaling_report import check_can_draw
from harness.spans import draw_timeline, shares


def main() -> int:
    """Draws the timeline of a run file and prints where the time went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_file", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a .png file")
    add_json_option(parser)
    parsed = parser.parse_args()
    check_can_draw()
    with RunFile(parsed.run_file) as run:
        rows = [row for row in run.segments() if row["stop"] > row["start"]]
        ranks = int(run.attributes["ranks"])
    draw_timeline(rows, ranks, parsed.output)
    found = shares(rows, ranks)
    sys.stdout.write("".join(f"{name:<7} {share:.1%}\n" for name, share in found.items()))
    figures = [Figure(name, share, "of ranks x time") for name, share in found.items()]
    write_result(parsed.json, measured("timeline", parsed, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
