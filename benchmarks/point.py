"""One point of a series: a whole job on the ranks that mpirun has started, with sleeping stages."""

import hashlib
import json
import resource
import shutil
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulation import Costs, SleepingStages, give_each_rank_a_node, rank_speeds
from fastvid.options import StylizeOptions
from fastvid.parallel.communicator import Communicator, Kind, connect
from fastvid.parallel.serve import JobSetup, serve


@dataclass(frozen=True)
class PointSettings:
    """What one point measures.

    clip: the input. cuts: none or a file of cuts. folder: where run file and output are written
    (and removed again). codec, preset: of the output. slow: every fourth rank at half speed.
    """

    clip: str
    cuts: str
    folder: str
    costs: Costs
    slow: bool
    codec: str = "libx264"
    preset: str | None = "ultrafast"
    segment_length: int | None = None
    lookahead: int | None = None

    def options(self) -> StylizeOptions:
        """The options of the job."""
        folder = Path(self.folder)
        chosen: dict[str, Any] = {
            name: getattr(self, name) for name in ("segment_length", "lookahead")
            if getattr(self, name) is not None}
        output = folder / ("output.mkv" if self.codec == "ffv1" else "output.mp4")
        return StylizeOptions(
            input=Path(self.clip), output=output, cuts=self.cuts, codec=self.codec,
            preset=self.preset, threads=1, restart=True, overwrite=True, **chosen)


def run_point(settings: PointSettings) -> int:
    """Takes part in the job; rank 0 writes point.json into the folder, each rank rank-N.json."""
    comm = connect()
    try:
        give_each_rank_a_node(comm)
        speeds = rank_speeds(comm.size, settings.slow)

        def make_stages(setup: JobSetup) -> SleepingStages:
            return SleepingStages(settings.costs, speeds[comm.rank])

        began, cpu_before = time.monotonic(), _cpu_seconds()
        if comm.rank == 0:
            _lead(settings, comm, speeds, make_stages)
        else:
            serve(comm, make_stages)
        _write(Path(settings.folder) / f"rank-{comm.rank}.json", {
            "rank": comm.rank, "seconds": time.monotonic() - began,
            "cpu_seconds": _cpu_seconds() - cpu_before,
            "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "bytes_sent": comm.bytes_sent,
        })
    except BaseException:  # the other ranks must not wait for this one
        sys.stderr.write(f"rank {comm.rank}: {traceback.format_exc()}")
        comm.abort(1)
    return 0


def _lead(settings: PointSettings, comm: Communicator, speeds: list[float],
          make_stages: Any) -> None:
    # What a job loads once, whatever its length, is loaded before the clock starts, and by rank 0
    # alone: 64 ranks would keep a small machine busy for minutes.
    from fastvid.job import run_job
    from fastvid.progress import Progress
    from fastvid.runfile.reader import RunFile

    began, began_at = time.monotonic(), time.time()
    result = run_job(settings.options(), comm, Progress("none"), make_stages)
    seconds = time.monotonic() - began
    comm.send_all(Kind.QUIT, [0])
    comm.drain()
    with RunFile(result.run_files[0]) as run:
        rows = [{name: row[name].item() for name in row.dtype.names if name != "host"}
                for row in run.segments()]
        digest = hashlib.sha256()
        for index in range(run.frame_count):
            digest.update(run.frame(index).tobytes())
    before = min(row["dealt_start"] for row in rows) - began_at
    after = began_at + seconds - max(row["stored_start"] for row in rows)
    total = settings.costs.total(result.frames, result.shots)
    speed_up = total / seconds
    _write(Path(settings.folder) / "point.json", {
        "ranks": comm.size, "frames": result.frames, "shots": result.shots, "seconds": seconds,
        "speed_up": speed_up, "efficiency": speed_up / sum(speeds),
        "rank0_seconds": result.stage_seconds, "before_seconds": before, "after_seconds": after,
        "sha256": digest.hexdigest(), "segments": rows,
    })
    result.run_files[0].unlink()
    if result.outputs[0].is_dir():
        shutil.rmtree(result.outputs[0])
    else:
        result.outputs[0].unlink()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
