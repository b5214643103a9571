"""What it costs a rank to decode its own segments, by reading on and by seeking.

    python benchmarks/own_decoding.py --json own_decoding.json

A rank's next segment lies ranks * 4 frames further. The method is in benchmarks/README.md.
"""

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Iterator

from fastvid.decode import random_access
from fastvid.decode.film import open_source
from fastvid.decode.film_index import FilmIndex
from fastvid.decode.source import VideoSource
from fastvid.job.decoding import decoded_a_frame
from fastvid.job.job_options import DEFAULT_SEGMENT_LENGTH
from harness.arguments import numbers_of, sizes_of
from harness.clips import make_clip
from harness.result import Figure, add_json_option, measured, write_result

_RANKS_TRIED = 4
_SEGMENTS_TRIED = 8
# Values of the cost of seeking: the first leaves no choice. For the second the reader forgets where
# it is before each segment.
_WAYS = {
    "reading on": 1 << 30,
    "seeking": random_access.SEEK_COST_FRAMES,
    "chosen": random_access.SEEK_COST_FRAMES,
}


def main() -> int:
    """Measures each clip and prints the table."""
    parsed = _parse()
    figures: list[Figure] = []
    sys.stdout.write(
        "ms of processor time a frame that is used, and frames decoded for it\n"
        f"{'size':<10} {'group':>5} {'ranks':>5} "
        + "".join(f"{name:>11}" for name in ("in order", *_WAYS, "decoded"))
        + "\n"
    )
    for size, group in itertools.product(parsed.sizes, parsed.groups):
        for row in _clip_rows(size, group, parsed):
            figures += row
            of, values = row[0].of, "".join(f"{figure.value:>11.2f}" for figure in row)
            sys.stdout.write(
                f"{of['size']:<10} {of['key frame every']:>5} {of['ranks']:>5} {values}\n"
            )
            sys.stdout.flush()
    write_result(parsed.json, measured("own_decoding", parsed, figures))
    return 0


def _clip_rows(
    size: tuple[int, int], group: int, parsed: argparse.Namespace
) -> Iterator[list[Figure]]:
    """The figures of one clip, those of a number of ranks at a time."""
    clip = make_clip(size, parsed.frames, group)
    with open_source(str(clip)) as source:
        index = source.index()
        assert isinstance(index, FilmIndex)
        in_order = _in_order(source, parsed.repeats)
    for ranks in parsed.ranks:
        of = {"size": f"{size[0]}x{size[1]}", "key frame every": group, "ranks": ranks}
        seconds = {"in order": in_order}
        seconds |= {way: _own_segments(index, ranks, way, parsed) for way in _WAYS}
        decoded = decoded_a_frame(index.entries, index.stop, DEFAULT_SEGMENT_LENGTH, ranks)
        yield [
            *(Figure(way, 1000 * taken, "ms", of) for way, taken in seconds.items()),
            Figure("decoded", decoded, "frames a frame", of),
        ]


def _in_order(source: VideoSource, repeats: int) -> float:
    """Seconds a frame of decoding the whole clip in order."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        count = sum(1 for _ in source)
        seconds.append((time.process_time() - began) / count)
    return statistics.median(seconds)


def _own_segments(index: FilmIndex, ranks: int, way: str, parsed: argparse.Namespace) -> float:
    """Seconds a frame of reading segments of one rank, mean over some of both.

    The halo is not counted as used. A rank's first segment, which opens the file, is not counted.
    """
    length = DEFAULT_SEGMENT_LENGTH
    random_access.SEEK_COST_FRAMES = _WAYS[way]
    seconds = []
    for _ in range(parsed.repeats):
        spent, used = 0.0, 0
        for rank in {ranks * part // _RANKS_TRIED for part in range(_RANKS_TRIED)}:
            first, *starts = range(rank * length, parsed.frames - length, ranks * length)
            reader = random_access.FilmReader(index)
            reader.read(max(0, first - 1), first + length)
            began = time.process_time()
            for start in starts[:_SEGMENTS_TRIED]:
                if way == "seeking":
                    reader._position = None
                reader.read(start - 1, start + length)
            spent += time.process_time() - began
            used += min(len(starts), _SEGMENTS_TRIED) * length
            reader.close()
        seconds.append(spent / used)
    return statistics.median(seconds)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=sizes_of, default=sizes_of("640x360,1280x720"))
    parser.add_argument(
        "--groups", type=numbers_of, default=[12, 250], help="frames from key frame to key frame"
    )
    parser.add_argument("--ranks", type=numbers_of, default=[2, 4, 16, 64])
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
