"""Several hosts without a shared file system give the bytes of one host, and send little."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from harness.network_hosts import HostsUnavailable, NetworkHosts
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, mpirun
from support.places import BENCHMARKS, PROGRAMS, REPOSITORY
from support.run_files import stored_frames
from support.slurm_jobs import wait_for_frames

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.mpi, pytest.mark.timeout(600)]

HOSTS = 3
WIDTH, HEIGHT, FRAMES = 320, 240, 48
SEGMENT_LENGTH = 4
# What to start nothing much on all hosts may take, on a busy machine.
STARTING_S = 60.0
# Headers of TCP, IP and Ethernet: 3 % of full packets, more of small ones.
HEADERS_SHARE = 0.05
# The start of MPI, the style, settings, headers of messages, heartbeats, the log.
ONCE_BYTES = 400_000
# Makes hosts and does not remove them.
HOST_MAKER = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(BENCHMARKS)!r})
from harness.network_hosts import NetworkHosts
hosts = NetworkHosts(Path(sys.argv[1]), 2)
Path(sys.argv[1], "made").touch()
time.sleep(600)
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[NetworkHosts]:
    version = subprocess.run([mpirun(), "--version"], capture_output=True, text=True).stdout
    if "HYDRA" not in version:
        pytest.skip("mpirun is not the one of mpich, whose launcher these tests replace")
    try:
        network = NetworkHosts(tmp_path, HOSTS)
    except HostsUnavailable as reason:
        pytest.skip(str(reason))
    with network:
        try:
            greetings = mpirun_on(network, "hostname", timeout=STARTING_S).stdout.split()
        except subprocess.TimeoutExpired:
            pytest.skip(f"mpirun starts nothing on several hosts here within {STARTING_S:g} s")
        assert sorted(greetings) == [f"host{number + 1}" for number in range(HOSTS)]
        yield network


@pytest.fixture(scope="module")
def large_clip(material: Path) -> Path:
    """Large enough that frames are most of what travels."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (HEIGHT // 8 + 1, (WIDTH + FRAMES * 2) // 8 + 1, 3), np.uint8)
    scene = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    images = [np.ascontiguousarray(scene[:HEIGHT, 2 * i : 2 * i + WIDTH]) for i in range(FRAMES)]
    return job_clips.write_clip(material / "large.mkv", images, [40 * i for i in range(FRAMES)])


def environment(**more: str) -> dict[str, str]:
    return {
        **os.environ,
        "FASTVID_PYTHON": sys.executable,
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([str(Path(mpirun()).parent), os.environ["PATH"]]),
        **more,
    }


def mpirun_on(
    hosts: NetworkHosts, *command: object, timeout: float = TIMEOUT_S, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command in the work folder, on one rank a host."""
    return subprocess.run(
        [
            *hosts.launch_on_switch,
            mpirun(),
            "-n",
            str(HOSTS),
            *hosts.launcher_options(),
            *map(str, command),
        ],
        cwd=hosts.work,
        env=environment(**hosts.environment, **more),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def run_on(hosts: NetworkHosts, clip: Path, style: Path, *options: object) -> None:
    """Runs fastvid in the work folder, one rank a host, slowly: every host gets to work."""
    (hosts.work / "in.mkv").symlink_to(clip)
    (hosts.work / "style.pt").write_bytes(style.read_bytes())
    pause = hosts.work.parent / "pause"
    pause.write_text("0.4")
    finished = mpirun_on(
        hosts,
        sys.executable,
        PROGRAMS / "slow_paint.py",
        "in.mkv",
        "-o",
        "out.mkv",
        "--style",
        "style.pt",
        "--threads",
        "1",
        *options,
        FASTVID_TEST_PAUSE=str(pause),
    )
    assert finished.returncode == 0, finished.stderr


def test_hosts_without_a_shared_folder_give_the_same_bytes(
    hosts: NetworkHosts, cut_clip: Clip, tiny_style: Path
) -> None:
    """The others would fail if they looked for the input, the style or the output: they have an
    empty folder."""
    run_on(hosts, cut_clip.path, tiny_style, "--cuts", "none", "--segment-length", "1")
    expected = oracle.repaint(
        job_clips.decoded_frames(cut_clip.path), (), load_style(str(tiny_style))
    )
    frames = stored_frames(hosts.work / "out.h5")
    with RunFile(hosts.work / "out.h5") as run:
        workers = {row["host"].decode() for row in run.segments()}
    assert np.array_equal(frames, expected)
    assert workers == {"host1", "host2", "host3"}
    assert job_clips.decoded_times(hosts.work / "out.mkv") == job_clips.decoded_times(cut_clip.path)


def test_ranks_of_different_hosts_wake_each_other(hosts: NetworkHosts) -> None:
    """A boundary frame goes round them, and none of them has to look for it."""
    finished = mpirun_on(
        hosts,
        sys.executable,
        "-m",
        "harness.hopping",
        HEIGHT,
        WIDTH,
        4,
        "hops.json",
        PYTHONPATH=os.pathsep.join([str(BENCHMARKS), str(REPOSITORY)]),
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads((hosts.work / "hops.json").read_text())["rung_by_all"]


def test_network_carries_each_frame_in_and_out_once(
    hosts: NetworkHosts,
    large_clip: Path,
    tiny_style: Path,
    record_property: Callable[[str, object], None],
) -> None:
    # As images, which rank 0 writes alone: frames that others encode would travel once more.
    images = ["-o", "images/", "--run-file", "out.h5"]
    more = ["--cuts", "none", "--segment-length", SEGMENT_LENGTH, *images]
    run_on(hosts, large_clip, tiny_style, *more)
    sent = sum(hosts.bytes_sent())
    with RunFile(hosts.work / "out.h5") as run:
        rows = run.segments()
    frame_bytes = WIDTH * HEIGHT * 3
    ranks = [int(row["rank"]) for row in rows]
    # In and out; the halo; the boundary frame, unless its rank painted the segment before too.
    travelling = sum(
        (2 * int(row["stop"] - row["start"]) + int(index > 0)) * (rank != 0)
        + int(index > 0 and ranks[index - 1] != rank)
        for index, (row, rank) in enumerate(zip(rows, ranks, strict=True))
    )
    allowed = 2 * FRAMES + 2 * len(rows)
    record_property("network_bytes_per_frame", sent / FRAMES)
    print(
        f"network: {sent / FRAMES:.0f} bytes a frame of {frame_bytes}; "
        f"{sent / frame_bytes:.1f} frames' worth, {travelling} due, {allowed} allowed"
    )
    assert {0, 1, 2} == set(ranks)
    assert sent >= travelling * frame_bytes  # else this measures something else
    assert sent <= travelling * frame_bytes * (1 + HEADERS_SHARE) + ONCE_BYTES
    assert travelling <= allowed


def test_hosts_end_with_what_made_them(hosts: NetworkHosts, tmp_path: Path) -> None:
    """Nothing is in the way of the next run, even if this one is killed."""
    folder = tmp_path / "killed"
    folder.mkdir()
    with RunningJob(["-c", HOST_MAKER], [folder], ranks=0) as maker:
        deadline = time.monotonic() + TIMEOUT_S
        while not (folder / "made").exists():
            assert not maker.ended() and time.monotonic() < deadline
            time.sleep(0.05)
        assert len(maker.processes()) > 1  # the hosts
        maker.terminate()  # Python dies of it on the spot
        while maker.processes():
            assert time.monotonic() < deadline, "the hosts live on"
            time.sleep(0.05)


def test_a_job_goes_on_without_a_host_that_is_lost(
    hosts: NetworkHosts, cut_clip: Clip, tiny_style: Path
) -> None:
    """Nothing is started by hand, and the bytes are the same. (With the first host goes rank 0.)"""
    slow_python = hosts.work.parent / "python"
    slow_python.write_text(
        f'#!/bin/bash\nshift 2 # -m fastvid\nexec {sys.executable} {PROGRAMS}/slow_paint.py "$@"\n'
    )
    slow_python.chmod(0o755)
    (hosts.work.parent / "pause").write_text("0.4")
    listed = hosts.work.parent / "listed"
    listed.write_text("".join(f"{address}\n" for address in hosts.addresses))
    (hosts.work / "in.mkv").symlink_to(cut_clip.path)
    (hosts.work / "style.pt").write_bytes(tiny_style.read_bytes())
    environs = environment(**hosts.environment)
    environs.update(
        FASTVID_PYTHON=str(slow_python),
        FASTVID_LAUNCH=f"{mpirun()} {' '.join(hosts.launcher_options()[:2])}",
        FASTVID_HOSTS=str(listed),
        FASTVID_RANK_TIMEOUT="10",
        FASTVID_ANSWER_S="10",
        FASTVID_TEST_PAUSE=str(hosts.work.parent / "pause"),
    )
    words = ["in.mkv", "out.mkv", "--style", "style.pt", "--threads", "1", "--cuts", "none"]
    job = subprocess.Popen(
        [*hosts.launch_on_switch, REPOSITORY / "jobs" / "hosts.sh", *words],
        cwd=hosts.work,
        env=environs,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with job:
        try:
            wait_for_frames(hosts.work / "out.h5", 3)
            hosts.lose(2)
            _, messages = job.communicate(timeout=TIMEOUT_S)
        finally:
            job.kill()
    assert job.returncode == 0, messages
    assert f"lost {hosts.addresses[1]}; going on with 2 ranks" in messages
    expected = oracle.repaint(
        job_clips.decoded_frames(cut_clip.path), (), load_style(str(tiny_style))
    )
    assert np.array_equal(stored_frames(hosts.work / "out.h5"), expected)


def test_hosts_script(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> None:
    """The script for sites without Slurm, on this host alone, counts the ranks of its list."""
    (tmp_path / "hosts.txt").write_text("# mine\nlocalhost\n\nlocalhost:2 \n")
    finished = subprocess.run(
        [
            REPOSITORY / "jobs" / "hosts.sh",
            uncut_clip.path,
            tmp_path / "out.mkv",
            "--style",
            tiny_style,
            "--threads",
            "1",
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment(FASTVID_HOSTS=str(tmp_path / "hosts.txt")),
    )
    assert finished.returncode == 0, finished.stderr
    with RunFile(tmp_path / "out.h5") as run:
        assert run.complete and run.attributes["ranks"] == 3


def test_hosts_script_names_a_missing_list(tmp_path: Path) -> None:
    finished = subprocess.run(
        [REPOSITORY / "jobs" / "hosts.sh", "in.mkv", "out.mkv"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(FASTVID_HOSTS="nowhere.txt"),
    )
    assert finished.returncode == 2
    assert "no list of hosts 'nowhere.txt'" in finished.stderr and not list(tmp_path.iterdir())
