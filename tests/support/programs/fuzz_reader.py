"""Reads damaged copies of files:  fuzz_reader.py KIND FILE SEED COUNT

Each copy has some bytes changed, cut off or put in. Reading one must either work or raise an
InputError; anything else is printed and ends the program with status 1. The address space is
limited to what the libraries take plus 1 GB, so that a copy that asks for more memory fails.
"""

import random
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fastvid.errors import InputError

_SPARE_BYTES = 1 << 30


def read_checkpoint(path: Path) -> None:
    from fastvid.style.loading import load_style

    load_style(str(path))


def read_run(path: Path) -> None:
    from fastvid.commands.status import describe_run
    from fastvid.runfile.reader import RunFile

    describe_run(path)
    with RunFile(path) as run:
        run.times()
        _ = run.settings
        for index in range(min(run.frame_count, 3)):
            run.frame(index)


def read_flow(path: Path) -> None:
    from fastvid.motion.flo import read_flo

    assert isinstance(read_flo(path), np.ndarray)


def read_mask(path: Path) -> None:
    from fastvid.motion.pgm import read_pgm

    assert read_pgm(path).ndim == 2


def read_cut_list(path: Path) -> None:
    from fastvid.decode.cuts import read_cuts

    read_cuts(path)


READERS: dict[str, Callable[[Path], None]] = {
    "checkpoint": read_checkpoint,
    "run": read_run,
    "flow": read_flow,
    "mask": read_mask,
    "cuts": read_cut_list,
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A copy with one to eight places changed; often near the beginning, where headers are."""
    copy = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        if not copy:
            break
        at = chance.randrange(min(len(copy), 2048) if chance.random() < 0.5 else len(copy))
        action = chance.randrange(5)
        if action == 0:
            del copy[at:]
        elif action == 1:
            copy[at:at] = chance.randbytes(chance.randint(1, 16))
        elif action == 2:
            copy[at : at + 8] = chance.choice([b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7])
        else:
            copy[at] = chance.randrange(256)
    return bytes(copy)


def main() -> int:
    kind, original, seed, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    read = READERS[kind]
    read(original)  # also imports what it needs
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _SPARE_BYTES, used + _SPARE_BYTES))
    data = original.read_bytes()
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"damaged{original.suffix}"
        for number in range(count):
            path.write_bytes(damaged(data, random.Random(f"{seed}-{number}")))
            print(f"copy {number}", flush=True)
            try:
                read(path)
            except InputError as error:
                refused += 1
                if not str(error) or len(str(error).splitlines()) > 5:
                    print(f"copy {number}: the message is no message: {error}")
                    return 1
    print(f"refused {refused} of {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
