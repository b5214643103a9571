"""Programs that a foreign launcher started alone, one beside the other, are told apart."""

import pytest

from fastvid.parallel.mpi.launch import (
    LaunchError,
    check_launch,
    launched_by_srun,
    launched_rank,
    launched_size,
)

ALONE: dict[str, str] = {}
HYDRA = {"PMI_SIZE": "4", "PMI_RANK": "2"}
OPEN_MPI = {"OMPI_COMM_WORLD_SIZE": "3", "OMPI_COMM_WORLD_RANK": "1"}
SRUN = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5", "SLURM_NTASKS": "8"}
# A batch script without srun: the job has many tasks, but nobody has started them.
SBATCH_ALONE = {"SLURM_NTASKS": "8", "SLURM_JOB_ID": "1"}
# mpirun inside a batch job opens a step of one helper a node.
MPIRUN_IN_SLURM = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", **HYDRA}


@pytest.mark.parametrize(
    ("environment", "size", "rank"),
    [
        (ALONE, 1, 0),
        (HYDRA, 4, 2),
        (OPEN_MPI, 3, 1),
        (SRUN, 8, 5),
        (SBATCH_ALONE, 1, 0),
        (MPIRUN_IN_SLURM, 4, 2),
        ({"PMI_SIZE": "nonsense"}, 1, 0),
    ],
)
def test_what_the_launcher_says(environment: dict[str, str], size: int, rank: int) -> None:
    assert launched_size(environment) == size
    assert launched_rank(environment) == rank


@pytest.mark.parametrize("environment", [HYDRA, OPEN_MPI, SRUN])
def test_ranks_that_are_alone_are_noticed(environment: dict[str, str]) -> None:
    with pytest.raises(LaunchError, match="alone in its MPI") as error:
        check_launch(1, environment)
    assert "mpirun" in str(error.value) and error.value.exit_status == 2


@pytest.mark.parametrize(
    ("size", "environment"), [(1, ALONE), (4, HYDRA), (3, OPEN_MPI), (8, SRUN), (1, SBATCH_ALONE)]
)
def test_sound_launches_pass(size: int, environment: dict[str, str]) -> None:
    check_launch(size, environment)


@pytest.mark.parametrize(
    "environment, by_srun",
    [
        ({"SLURM_PROCID": "1", "PMI_SIZE": "2"}, True),
        ({"SLURM_PROCID": "0", "PMI_SIZE": "2", "MPI_LOCALNRANKS": "2"}, False),
        ({"SLURM_PROCID": "0", "OMPI_COMM_WORLD_SIZE": "2"}, False),
        ({"PMI_SIZE": "2", "MPI_LOCALNRANKS": "2"}, False),
        ({}, False),
    ],
)
def test_srun_is_told_from_an_mpirun_within_its_job(
    environment: dict[str, str], by_srun: bool
) -> None:
    assert launched_by_srun(environment) is by_srun
