"""One point of a series: a whole job on the ranks that mpirun has started, with sleeping stages.

`start_point` starts it; it then runs as `mpirun -n N python -m harness.point SETTINGS.json` with
benchmarks/ among the places where Python looks for modules.
"""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from fastvid.commands.serve import serve
from fastvid.job.options import StylizeOptions
from fastvid.parallel.engine import bands
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.lifetime import connect
from fastvid.parallel.mpi.message import Quit
from fastvid.parallel.setup import JobSetup, StageFactory, real_stages
from fastvid.stages.interface import Stages
from fastvid.system.allocator import keep_freed_memory
from harness.emulation import (
    Costs,
    SleepingStages,
    emulate_encoding,
    on_a_node_of_its_own,
    rank_speeds,
    take_priority,
)
from harness.network_hosts import NetworkHosts
from harness.recurrent import SleepingRecurrent, make_style
from harness.thread_times import ThreadTimes

if TYPE_CHECKING:
    from fastvid.job.result import JobResult

_BENCHMARKS = Path(__file__).resolve().parents[1]
_TIMEOUT_S = 1200
# Rank 0 of a cluster has cores for its service threads; here all the others want the same two.
_LEADER_NICE = 5


@dataclass(frozen=True)
class PointSettings:
    """What one point measures.

    clip: the input. cuts: none, auto or a file of cuts. folder: where run file and output are
    written (and removed again). codec, preset: of the output. slow: every fourth rank at half
    speed. pipeline: exact or overlap for a recurrent model, None for a frame model. nice: nice
    value of the ranks. decode: who decodes. leader_computes: rank 0 takes segments as well.
    leader_encodes: it encodes what it has time for. digest: hash all frames. watch_threads: measure
    the processor time of rank 0's threads. real: the stages compute instead of sleeping for their
    costs. bands: in which the temporal pass takes a frame, None for what suits its size.
    discard: frames are freed once they are encoded.
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
    pipeline: str | None = None
    nice: int = 0
    decode: str = "rank0"
    leader_computes: bool = True
    leader_encodes: bool = True
    digest: bool = True
    watch_threads: bool = False
    real: bool = False
    bands: int | None = None
    discard: bool = False

    def options(self) -> StylizeOptions:
        """The options of the job."""
        folder = Path(self.folder)
        chosen: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("segment_length", "lookahead")
            if getattr(self, name) is not None
        }
        if self.pipeline is not None:
            chosen.update(pipeline=self.pipeline, style=str(make_style(folder)))
        output = folder / ("output.mkv" if self.codec == "ffv1" else "output.mp4")
        return StylizeOptions(
            input=Path(self.clip),
            output=output,
            cuts=self.cuts,
            codec=self.codec,
            preset=self.preset,
            decode=self.decode,
            threads=1,
            discard_frames=self.discard,
            restart=True,
            overwrite=True,
            **chosen,
        )


def start_point(
    settings: PointSettings, ranks: int, hosts: NetworkHosts | None = None
) -> dict[str, Any]:
    """Runs a point under mpirun; returns what `read_point` does.

    settings.folder: where a temporary folder is made. hosts: where the ranks are started, as many
    on each as it takes; None for this one.
    """
    launch, more = ["mpirun", "-n", str(ranks)], {}
    if hosts is not None:
        launch = [
            *hosts.launch_on_switch,
            *launch,
            *hosts.launcher_options(-(-ranks // hosts.count)),
        ]
        more = hosts.environment
    with tempfile.TemporaryDirectory(prefix="fastvid-point-", dir=settings.folder or None) as own:
        chosen = Path(own) / "settings.json"
        _write(chosen, asdict(replace(settings, folder=own)))
        subprocess.run(
            [*launch, sys.executable, "-m", "harness.point", str(chosen)],
            env={**_environment(), **more},
            cwd=None if hosts is None else hosts.work,
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=_TIMEOUT_S,
        )
        return read_point(Path(own))


def _environment() -> dict[str, str]:
    """What a rank needs to find this module."""
    places = [
        str(_BENCHMARKS),
        str(_BENCHMARKS.parent),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


def read_point(folder: Path) -> dict[str, Any]:
    """What rank 0 has written into `folder`, and as "rank_facts" what each rank has."""
    facts = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("rank-*.json")]
    point: dict[str, Any] = json.loads((folder / "point.json").read_text(encoding="utf-8"))
    point["rank_facts"] = sorted(facts, key=lambda fact: fact["rank"])
    return point


def run_point(settings: PointSettings) -> int:
    """Takes part in the job; rank 0 writes point.json into the folder, each rank rank-N.json."""
    keep_freed_memory()
    comm = connect(seen_as=on_a_node_of_its_own)
    try:
        leads = comm.rank == 0
        take_priority(settings.nice - _LEADER_NICE if leads and settings.nice else settings.nice)
        if settings.bands is not None:
            count = settings.bands
            chosen = mock.patch.object(
                bands, "band_stops", lambda height, width: bands.equal_stops(height, count)
            )
            chosen.start()
        speeds = rank_speeds(comm.size, settings.slow)
        make_stages = partial(_stages, settings, speeds[comm.rank])
        began, cpu_before = time.monotonic(), _cpu_seconds()
        if leads:
            _lead(settings, comm, speeds, make_stages)
        else:
            serve(comm, make_stages)
        _write(
            Path(settings.folder) / f"rank-{comm.rank}.json",
            {
                "rank": comm.rank,
                "seconds": time.monotonic() - began,
                "cpu_seconds": _cpu_seconds() - cpu_before,
                "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                "bytes_sent": comm.bytes_sent,
            },
        )
    except BaseException:  # the other ranks must not wait for this one
        sys.stderr.write(f"rank {comm.rank}: {traceback.format_exc()}")
        comm.abort(1)
    return 0


def _stages(settings: PointSettings, speed: float, setup: JobSetup) -> Stages[Any]:
    """The stages of a rank of this speed."""
    if settings.real:
        return real_stages(setup)
    kind = SleepingStages if settings.pipeline is None else SleepingRecurrent
    stages = kind(settings.costs, speed)
    if settings.costs.encode:
        emulate_encoding(stages, settings.costs.encode / speed)
    return stages


def _lead(
    settings: PointSettings, comm: Communicator, speeds: list[float], make_stages: StageFactory
) -> None:
    """Rank 0's part: runs the job, writes point.json and removes what the job has written."""
    # What a job loads once, whatever its length, is loaded before the clock starts, and by rank 0
    # alone: 64 ranks would keep a small machine busy for minutes.
    from fastvid.job.progress import Progress
    from fastvid.job.run import run_job
    from fastvid.job.tuning import USUAL, Tuning

    tuning = Tuning(
        compute_below_load=USUAL.compute_below_load if settings.leader_computes else 0.0,
        encode_below_load=USUAL.encode_below_load if settings.leader_encodes else 0.0,
    )
    watch = ThreadTimes()
    with watch if settings.watch_threads else nullcontext():
        began, began_at = time.monotonic(), time.time()
        result = run_job(settings.options(), comm, Progress("none"), make_stages, tuning=tuning)
    seconds = time.monotonic() - began
    comm.send_all(Quit(0))
    comm.drain()
    facts = _facts(settings, result, seconds, speeds)
    rows = facts["segments"]
    facts["before_seconds"] = min(row["dealt_start"] for row in rows) - began_at
    facts["after_seconds"] = began_at + seconds - max(row["stored_start"] for row in rows)
    facts["thread_cpu_seconds"] = watch.seconds
    _write(Path(settings.folder) / "point.json", facts)
    result.run_files[0].unlink()
    if result.outputs[0].is_dir():
        shutil.rmtree(result.outputs[0])
    else:
        result.outputs[0].unlink()


def _facts(
    settings: PointSettings, result: "JobResult", seconds: float, speeds: list[float]
) -> dict[str, Any]:
    """What the finished job, which took so many seconds, was like."""
    rows, digest = _read_run(result.run_files[0], settings.digest)
    costs = settings.costs
    total = (costs.total if settings.pipeline is None else costs.recurrent_total)(
        result.frames, result.shots
    )
    encoding = result.frames * costs.encode
    return {
        "ranks": len(speeds),
        "frames": result.frames,
        "shots": result.shots,
        "seconds": seconds,
        "speed_up": total / seconds,
        "efficiency": total / seconds / sum(speeds),
        "efficiency_with_encoding": (total + encoding) / seconds / sum(speeds),
        "rank0_seconds": result.stage_seconds,
        "sha256": digest,
        "segments": rows,
    }


def _read_run(path: Path, digest: bool) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of /segments, and if wanted the SHA-256 of all frames."""
    from fastvid.runfile.reader import RunFile

    with RunFile(path) as run:
        rows = [
            {name: row[name].item() for name in row.dtype.names if name != "host"}
            for row in run.segments()
        ]
        if not digest:
            return rows, None
        found = hashlib.sha256()
        for index in range(run.frame_count):
            found.update(run.frame(index).tobytes())
    return rows, found.hexdigest()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """This rank's part in the point whose settings are in the file that is named."""
    values = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    return run_point(PointSettings(**{**values, "costs": Costs(**values["costs"])}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
