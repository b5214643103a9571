"""Where the frame model runs: on the CPU, or on one of the GPUs of a rank's host."""

import socket

import torch

from fastvid.errors import InputError

CPU_NAME = "cpu"
CPU = torch.device(CPU_NAME)
# Frames that a GPU paints at a time: a segment of the default length.
GPU_BATCH_SIZE = 4


def choose_device(wanted: str, recorded: str | None = None) -> str:
    """What a run paints on: "cpu", or the name of the GPU. Called on rank 0, for all ranks.

    wanted: auto, cpu or cuda. recorded: what an unfinished run was begun on; auto goes on there.
    Raises InputError for cuda where there is none.
    """
    found = torch.cuda.is_available()
    if wanted == "cpu" or (wanted == "auto" and (recorded == CPU_NAME or not found)):
        return CPU_NAME
    if not found:
        raise InputError(
            f"--device cuda: PyTorch {torch.__version__} finds no CUDA GPU on "
            f"{socket.gethostname()}.\nUse --device cpu; where there is a GPU, check its driver "
            "and that PyTorch is a CUDA build."
        )
    return torch.cuda.get_device_name(0)


def gpu_count(name: str) -> int:
    """GPUs of this host that a run which paints on `name` shares among its ranks; 0 on CPUs."""
    return 0 if name == CPU_NAME else torch.cuda.device_count()


def rank_device(name: str, local_rank: int) -> torch.device:
    """The device of a rank: the CPU, or the ranks of a host take turns at its GPUs.

    name: what `choose_device` said. local_rank: the number of the rank among those of its host.
    Raises InputError if this host has no such GPU: another kind rounds in another way.
    """
    if name == CPU_NAME:
        return torch.device("cpu")
    host = socket.gethostname()
    count = torch.cuda.device_count()
    if count == 0:
        raise InputError(
            f"There is no CUDA GPU on {host}, but the run paints on {name}.\n"
            "Use --device cpu, or hosts that all have one."
        )
    index = local_rank % count
    its_name = torch.cuda.get_device_name(index)
    if its_name != name:
        raise InputError(
            f"GPU {index} of {host} is {its_name}, but the run paints on {name}: the "
            "frames would differ.\nUse --device cpu, or choose GPUs of one kind with "
            "CUDA_VISIBLE_DEVICES."
        )
    return torch.device("cuda", index)
