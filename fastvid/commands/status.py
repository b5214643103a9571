"""Tells what of a run is done, and what is left."""

import argparse
import sys
import time
from pathlib import Path

from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.runfile.lock import lock_owner
from fastvid.runfile.reader import RunFile
from fastvid.system.resources import human_bytes, human_seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid status`."""
    parser.description = "Tells what of a run is done, and what was last heard of its ranks."
    parser.add_argument("run_file", type=Path, help="a run file (.h5)")


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Says what a run file tells of its run."""
    sys.stdout.write(describe_run(parsed.run_file) + "\n")
    return 0


def describe_run(path: Path) -> str:
    """A readable account of a run file, several lines. Raises InputError if it can't be read."""
    with RunFile(path) as run:
        facts = run.attributes
        total = int(facts.get("frame_count", run.frame_count))
        stored = int(run.stored.sum())
        owner = lock_owner(path)
        if run.complete:
            state = "complete"
        elif owner is not None:
            state = f"going on ({owner})"
        else:
            state = "not complete; the same command goes on from here"
        lines = [
            f"{path}: {state}",
            f"  {stored} of {total} frames stored, {total - stored} left; "
            f"{run.width}x{run.height}, {len(run.shots())} shots so far; "
            f"{human_bytes(path.stat().st_size)}",
            f"  input {facts.get('input')}, style {facts.get('style')}",
            f"  begun {facts.get('created')} by fastvid {facts.get('fastvid_version')}: "
            f"{facts.get('command')}",
        ]
        if run.encoded.any():
            lines.append(f"  {int(run.encoded.sum())} frames were encoded and discarded")
        now = time.time()
        lines += [
            f"  rank {row['rank']} on {row['host'].decode(errors='replace')} (process "
            f"{row['process']}): {row['doing'].decode(errors='replace')}, heard "
            f"{human_seconds(max(0.0, now - row['last_heard']))} ago"
            for row in ([] if run.complete else run.ranks())
        ]
        return "\n".join(lines)
