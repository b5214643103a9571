"""Several processes that train one network: torch.distributed between the caller's ranks.

MPI is the caller's business: it hands over rank, size and the address of rank 0. With one process
nothing is started and every function leaves its argument alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

# A rank that waits longer for the others than this ends with an error. It counts the time for which
# a batch system has suspended the job, so it is long; of a rank that ends, its closed connection
# tells at once.
TIMEOUT = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """Which of how many processes this is, and where rank 0 listens."""

    rank: int = 0
    size: int = 1
    master_addr: str = "127.0.0.1"
    master_port: int = 29500


@contextmanager
def connected(world: World, device: torch.device) -> Iterator[None]:
    """Joins the process group (NCCL between GPUs, gloo otherwise) and leave it at the end."""
    if world.size == 1:
        yield
        return
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"tcp://{world.master_addr}:{world.master_port}",
        rank=world.rank,
        world_size=world.size,
        timeout=TIMEOUT,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def average(world: World, tensors: list[torch.Tensor]) -> None:
    """Replaces every tensor by its mean over the ranks, in one message."""
    if world.size == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world.size
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.reshape(tensor.shape))


def from_rank_0(world: World, data: bytes | None, device: torch.device) -> bytes | None:
    """The bytes that rank 0 has, on every rank; None if it has none."""
    if world.size == 1:
        return data
    length = torch.tensor([-1 if data is None else len(data)], device=device)
    dist.broadcast(length, 0)
    if length.item() < 0:
        return None
    content = torch.frombuffer(bytearray(data or bytes(int(length.item()))), dtype=torch.uint8)
    content = content.to(device)
    dist.broadcast(content, 0)
    return content.cpu().numpy().tobytes()
