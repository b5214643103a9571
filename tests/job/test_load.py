"""Rank 0 computes along as long as its own work leaves it time."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from fastvid.job.gather import Gatherer
from fastvid.job.load import Rank0Load
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.stopwatch import Stopwatch


@dataclass
class Host:
    """What is asked of rank 0's peer."""

    cores: int = 1


@dataclass
class Ranks:
    """What is asked of the communicator."""

    size: int
    rank: int = 0
    peers: list[Host] = field(default_factory=lambda: [Host()])


@dataclass
class Storing:
    """A gatherer that has used so much of a core."""

    seconds: float

    def cpu_seconds(self) -> float:
        return self.seconds

    storing_cpu_seconds = cpu_seconds


def load(ranks: int, storing_s: float, compute_below: float) -> Rank0Load:
    """The load of a rank 0 on one core that has begun just now."""
    comm, gatherer = cast(Communicator, Ranks(ranks)), cast(Gatherer, Storing(storing_s))
    return Rank0Load(comm, Stopwatch(), gatherer, compute_below)


@pytest.mark.parametrize(("storing_s", "may"), [(0.1, True), (100.0, False)])
def test_it_computes_below_its_share(storing_s: float, may: bool) -> None:
    assert load(2, storing_s, compute_below=0.5).may_compute() is may


def test_it_never_computes_where_it_is_told_not_to() -> None:
    assert not load(2, 0.0, compute_below=0.0).may_compute()


@pytest.mark.parametrize(("ranks", "may"), [(1, True), (2, True), (7, True), (8, False)])
def test_many_ranks_encode_without_rank_0(ranks: int, may: bool) -> None:
    assert load(ranks, 0.1, compute_below=0.5).may_encode() is may


def test_the_only_rank_computes_whatever_else_it_does() -> None:
    assert load(1, 1000.0, compute_below=0.0).may_compute()
