"""Where there is no mask, and why: what a user should know before the masks are used."""

from collections.abc import Collection
from pathlib import Path

from fastvid.runfile.reader import RunFile


def notes_on(run_path: Path, first: int, seeded: Collection[int] | None) -> list[str]:
    """What is to be said of the masks in a run file.

    first: the frame of the film with which the run begins. seeded: the frames of the film that have
    seeds, None for a network.
    """
    notes = []
    with RunFile(run_path) as run:
        shown = [bool(run.frame(index).any()) for index in range(run.frame_count)]
        shots = run.shots()
    if not any(shown):
        return ["the mask is empty in every frame"]
    for number, (start, stop) in enumerate(shots) if seeded is not None else ():
        own = [frame for frame in seeded or () if start <= frame - first < stop]
        frames = f"frames {first + start}-{first + stop - 1}"
        if not own:
            notes.append(f"shot {number}, {frames}, has no seed: no mask")
            continue
        if min(own) > first + start:
            notes.append(f"shot {number}, {frames}: no mask before its first seed, {min(own)}")
        last = max((index for index in range(start, stop) if shown[index]), default=start)
        if last < stop - 1:
            notes.append(f"shot {number}, {frames}: gone after frame {first + last}")
    return notes
