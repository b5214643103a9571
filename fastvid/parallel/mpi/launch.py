"""Detects a launch that went wrong: n programs of size one instead of one program of size n."""

from collections.abc import Mapping

from fastvid.errors import InputError

# Variables in which launchers tell a program how many ranks they started:
# hydra and Slurm's PMI-2, Open MPI, MVAPICH2.
_SIZE_VARIABLES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_RANK_VARIABLES = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")


def launched_size(environment: Mapping[str, str]) -> int:
    """How many ranks the launcher says it started; 1 if there is none or it says nothing.

    The size of a Slurm step counts only where no MPI launcher speaks for itself: inside a step that
    mpirun opened for its own helpers there is one task a node.
    """
    for name in _SIZE_VARIABLES:
        if environment.get(name, "").isdigit():
            return int(environment[name])
    step = environment.get("SLURM_STEP_NUM_TASKS", "")
    return int(step) if step.isdigit() else 1


def launched_rank(environment: Mapping[str, str]) -> int:
    """Which of the started programs this one is; 0 if nothing says so."""
    for name in _RANK_VARIABLES:
        if environment.get(name, "").isdigit():
            return int(environment[name])
    return 0


def launched_by_srun(environment: Mapping[str, str]) -> bool:
    """Whether Slurm itself started the ranks, and not an mpirun within a job of it."""
    helpers = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # hydra's first
    return "SLURM_PROCID" in environment and not any(name in environment for name in helpers)


class LaunchError(InputError):
    """The launcher started several programs that do not know of each other."""


def check_launch(size: int, environment: Mapping[str, str]) -> None:
    """Raises LaunchError if MPI counts one rank where the launcher started several.

    size: what MPI says. environment: the environment variables of the process.
    """
    wanted = launched_size(environment)
    if size == 1 and wanted > 1:
        raise LaunchError(
            f"The launcher started {wanted} programs, but each of them is alone in its MPI.\n"
            "mpirun or srun belongs to another MPI than the one mpi4py uses. Under Slurm try "
            "srun --mpi=pmi2, or mpirun of the same installation (.venv/bin/mpirun)."
        )
