"""What jobs/hosts.sh tells the launcher, and what it does with its end; mpirun is a stand-in."""

import re
import signal
from pathlib import Path

import pytest

from support.job_scripts import WARNING, executable, run_script
from support.places import REPOSITORY

# -- hosts.sh --------------------------------------------------------------------------------------

# Stands in for mpirun: says whose it is, writes down its arguments, and runs the program.
_MPIRUN = """#!/bin/sh
if [ "$1" = --version ]; then echo "$FASTVID_TEST_MPI"; exit; fi
case "$*" in
    *" true") case " $FASTVID_TEST_LOST " in *" $4 "*) exit 1 ;; esac; exit 0 ;;
esac
printf '%s\\n' "$@" > mpirun.log
while [ "$1" != -m ]; do program=$1; shift; done
exec "$program"
"""


def run_hosts(
    folder: Path, acts: str, signals: list[signal.Signals], *options: str, **environment: str
) -> tuple[int, list[str], str]:
    """As `run_script`, for hosts.sh outside of Slurm; what mpirun was told in place of scontrol."""
    executable(folder / "mpirun", _MPIRUN)
    hosts = folder / "hosts.txt"
    hosts.write_text("one:2\ntwo\ntwo\n")
    script = f'unset SLURM_JOB_ID; exec "{REPOSITORY}/jobs/hosts.sh" "$@"'
    told = folder / "mpirun.log"
    status, _, messages = run_script(
        folder,
        acts,
        signals,
        "in.mp4",
        "out.mp4",
        *options,
        script=script,
        **{"FASTVID_HOSTS": str(hosts), **environment},
    )
    return status, told.read_text().split("\n") if told.exists() else [], messages


@pytest.mark.parametrize("acts", ["listen ready exit-75", "ready", "listen ready kill-9"])
def test_a_warning_outside_of_slurm_ends_with_75(tmp_path: Path, acts: str) -> None:
    """Whoever repeats the command while it ends so is served."""
    status, _, messages = run_hosts(tmp_path, acts, [WARNING])
    assert status == 75, messages
    assert "unbound" not in messages and "start the same command again" in messages


@pytest.mark.parametrize(("acts", "status"), [("exit-1", 1), ("exit-75", 75), ("exit-0", 0)])
def test_without_a_warning_the_status_stays(tmp_path: Path, acts: str, status: int) -> None:
    found, _, messages = run_hosts(tmp_path, acts, [])
    assert found == status and "again" not in messages


@pytest.mark.parametrize(
    ("launch", "mpi", "told"),
    [
        (None, "HYDRA", "-n 4 -hosts one:2,two:2"),
        ("{} --bind-to none", "mpirun (Open MPI) 5", "--bind-to none -n 4 --host one:2,two:2"),
        ("{} -genv A 1", "HYDRA", "-genv A 1 -n 4 -hosts one:2,two:2"),
        ("{} --hostfile mine -n 3", "mpirun (Open MPI) 5", "--hostfile mine -n 3"),
    ],
)
def test_every_launcher_is_told_the_hosts(
    tmp_path: Path, launch: str | None, mpi: str, told: str
) -> None:
    environment = {"FASTVID_TEST_MPI": mpi}
    if launch is not None:
        environment["FASTVID_LAUNCH"] = launch.format(tmp_path / "mpirun")
    status, words, messages = run_hosts(tmp_path, "exit-0", [], **environment)
    assert status == 0, messages
    assert " ".join(words[: words.index(str(tmp_path / "program"))]) == told


@pytest.mark.parametrize(
    ("lost", "told", "most"),
    [("two", "-n 2 -hosts one:2", "10"), ("two", "", "0"), ("", "", "10"), ("one two", "", "10")],
)
def test_a_failed_job_goes_on_without_lost_hosts(
    lost: str, told: str, most: str, tmp_path: Path
) -> None:
    """If some are lost, and others answer; --restart counts once."""
    status, words, messages = run_hosts(
        tmp_path,
        "exit-1",
        [],
        "--restart",
        FASTVID_TEST_MPI="HYDRA",
        FASTVID_TEST_LOST=lost,
        FASTVID_MAX_LOSSES=most,
    )
    assert status == 1
    if told:
        assert "lost two; going on with 2 ranks on the other hosts" in messages
        assert " ".join(words).startswith(told) and "--restart" not in words
    else:
        assert "going on with" not in messages
        assert "-n 4 -hosts one:2,two:2" in " ".join(words) and "--restart" in words


@pytest.mark.parametrize(
    ("acts", "lost", "said", "told"),
    [
        ("first-hang exit-0", "two", "lost two; going on with 2", "-n 2 -hosts one:2"),
        ("first-69 exit-0", "", "going on with the same 4", "-n 4 -hosts one:2,two:2"),
        ("first-69 exit-0", "two", "lost two; going on with 2", "-n 2 -hosts one:2"),
    ],
)
def test_a_host_may_be_lost_at_any_time(
    acts: str, lost: str, said: str, told: str, tmp_path: Path
) -> None:
    """Before the ranks have met nobody misses it; and a network may be gone for a while only."""
    status, words, messages = run_hosts(
        tmp_path,
        acts,
        [],
        FASTVID_TEST_MPI="HYDRA",
        FASTVID_TEST_LOST=lost,
        FASTVID_MEET_S="1",
    )
    assert status == 0 and said in messages
    assert " ".join(words).startswith(told)


def test_ranks_that_take_long_to_meet_are_waited_for(tmp_path: Path) -> None:
    """As long as their hosts answer."""
    status, _, messages = run_hosts(
        tmp_path,
        "wait-4 exit-0",
        [],
        FASTVID_TEST_MPI="HYDRA",
        FASTVID_MEET_S="1",
    )
    assert status == 0 and "going on" not in messages


def test_lsf_brings_its_hosts(tmp_path: Path) -> None:
    environment = {"FASTVID_TEST_MPI": "HYDRA", "FASTVID_HOSTS": "", "PBS_NODEFILE": ""}
    status, words, messages = run_hosts(
        tmp_path, "exit-0", [], LSB_MCPU_HOSTS="one 8 two 4", **environment
    )
    assert status == 0, messages
    assert words[:4] == ["-n", "12", "-hosts", "one:8,two:4"]


def test_a_launcher_that_can_not_be_told_is_refused(tmp_path: Path) -> None:
    status, _, messages = run_hosts(tmp_path, "exit-0", [], FASTVID_LAUNCH="srun --mpi=pmi2")
    assert status == 2 and "is not told the hosts" in messages


def test_arrays_that_may_be_empty(tmp_path: Path) -> None:
    """Bash before 4.4 (CentOS 7) takes an empty array for one that is not set, and stops."""
    for script in (REPOSITORY / "jobs").glob("*.s*"):
        for line in script.read_text().splitlines():
            bare = re.sub(r'\$\{(\w+)\[@\]\+"\$\{\1\[@\]\}"\}', "", line)
            assert not re.search(r"\$\{(launch|arguments)\[@\]\}", bare) or "for word" in bare, line
