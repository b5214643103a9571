"""How long a job will take on so many ranks, and which number is the best value. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastvid.commands.plan.costs import Cluster, Dealing, FrameCosts
from fastvid.commands.plan.stretches import overlap_seconds
from fastvid.commands.plan.wavefront import simulate

# Below this efficiency more than a fifth of what is paid for waits.
GOOD_EFFICIENCY = 0.8
# A film settles into its pace long before; the rest of it is reckoned at that pace.
_SIMULATED_FRAMES = 2000
_SIMULATED_FRAMES_A_RANK = 60


@dataclass(frozen=True)
class Forecast:
    """What is foretold of one number of ranks.

    seconds: wall clock, the start included. efficiency: computing seconds of all frames over ranks
    times `seconds`, 0..1. core_hours: of all cores from the first second to the last.
    """

    ranks: int
    seconds: float
    efficiency: float
    core_hours: float


def forecast(
    shots: Sequence[int], costs: FrameCosts, cluster: Cluster, *, threads: int, start_s: float
) -> Forecast:
    """The forecast for a film of shots of so many frames.

    threads: cores of a rank. start_s: what a job takes before its first frame and after its last.
    """
    seconds = start_s + film_seconds(shots, costs, cluster)
    efficiency = sum(shots) * costs.compute / (cluster.ranks * seconds)
    return Forecast(cluster.ranks, seconds, efficiency, cluster.ranks * threads * seconds / 3600)


def film_seconds(shots: Sequence[int], costs: FrameCosts, cluster: Cluster) -> float:
    """`simulate`, for films of any length: a long one goes on at the pace of its beginning. Films
    in stretches are reckoned whole."""
    if cluster.dealing.overlap is not None:
        return overlap_seconds(shots, costs, cluster, cluster.dealing.overlap)
    frames = sum(shots)
    most = max(_SIMULATED_FRAMES, _SIMULATED_FRAMES_A_RANK * cluster.ranks)
    if frames <= most:
        return simulate(shots, costs, cluster)
    until_half = simulate(first_frames(shots, most // 2), costs, cluster)
    until_most = simulate(first_frames(shots, most), costs, cluster)
    pace_s = (until_most - until_half) / (most - most // 2)
    return until_most + (frames - most) * pace_s


def first_frames(shots: Sequence[int], frames: int) -> list[int]:
    """The shots of the first so many frames; the last one is cut off where they end."""
    taken: list[int] = []
    for length in shots:
        if frames > 0:
            taken.append(min(length, frames))
        frames -= length
    return taken


def shot_lengths(frames: int, cuts: Sequence[int]) -> list[int]:
    """The lengths of the shots of a film with cuts before these frames; others do not count."""
    starts = [0, *sorted({cut for cut in cuts if 0 < cut < frames})]
    return [stop - start for start, stop in zip(starts, [*starts[1:], frames], strict=True)]


def own_cores(ranks: int, threads: int, dealing: Dealing) -> Cluster:
    """Ranks with cores of their own, as many as they have threads."""
    return Cluster((1.0,) * ranks, dealing, side_share=1 / threads)


def shared_cores(ranks: int, threads: int, cores: int, dealing: Dealing) -> Cluster:
    """Ranks on one host of so many cores.

    Those that find no core free wait for the others and add nothing: the cluster has only as many
    ranks as cores keep busy. A spare core takes over what rank 0 does besides.
    """
    busy = min(ranks, max(1, cores // threads))
    side_share = 0.0 if busy * threads < cores else 1 / threads
    return Cluster((min(1.0, cores / threads),) * busy, dealing, side_share)


def best_value(forecasts: Sequence[Forecast]) -> tuple[Forecast, str]:
    """The number of ranks to take, and why.

    The largest that still works well; where none does, the least product of cost and time.
    """
    good = [one for one in forecasts if one.efficiency >= GOOD_EFFICIENCY]
    if good:
        best = max(good, key=lambda one: one.ranks)
        more = [one for one in forecasts if one.ranks > best.ranks]
        reason = f"the most that keep an efficiency of {GOOD_EFFICIENCY:g}"
        if more:
            following = min(more, key=lambda one: one.ranks)
            reason += (
                f"; {following.ranks} ranks take {following.seconds / best.seconds:.0%} of "
                f"the time for {following.core_hours / best.core_hours:.1f} times the "
                "core hours"
            )
        return best, reason
    best = min(forecasts, key=lambda one: one.core_hours * one.seconds)
    return best, (
        f"no number of ranks reaches an efficiency of {GOOD_EFFICIENCY:g}; this one has "
        "the least product of core hours and time"
    )
