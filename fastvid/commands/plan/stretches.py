"""A job of a recurrent model in stretches (see `fastvid.stages.overlap`), played through."""

import heapq
from collections.abc import Sequence

from fastvid.commands.plan.costs import Cluster, FrameCosts
from fastvid.stages.overlap import Overlap, seams


def stretches_of(shots: Sequence[int], overlap: Overlap) -> list[tuple[int, bool]]:
    """(frames, whether it is joined to the one before) of each stretch of shots of so many
    frames."""
    found = []
    for length in shots:
        starts = [0, *seams(0, length, overlap)]
        found += [
            (stop - start, start > 0)
            for start, stop in zip(starts, [*starts[1:], length], strict=True)
        ]
    return found


def overlap_seconds(
    shots: Sequence[int], costs: FrameCosts, cluster: Cluster, overlap: Overlap
) -> float:
    """Seconds from the first decoded frame to the last encoded one.

    Stretches go in order to whoever is free first; each is corrected, for as long as that may take,
    when it and the one before it are computed. Frames are encoded in order, and by
    all ranks once all are there.
    """
    free = [(0.0, rank) for rank in range(cluster.ranks)]
    heapq.heapify(free)
    decoded_s = computed_s = encoded_s = ended_s = 0.0
    for frames, joined in stretches_of(shots, overlap):
        free_s, rank = heapq.heappop(free)
        frame_s = (costs.compute + costs.read * cluster.side_share) / cluster.speeds[rank]
        before_s, begins_s = computed_s, max(free_s, decoded_s)
        decoded_s += frames * costs.take_in
        if rank == 0:
            frame_s += costs.side * cluster.side_share
        warm_up = overlap.warm_up if joined else 0
        computed_s = max(begins_s + (frames + warm_up) * frame_s, decoded_s)
        finished_s = computed_s
        if joined:
            finished_s = max(computed_s, before_s) + overlap.recompute * frame_s
        heapq.heappush(free, (finished_s, rank))
        # The first stretch of a shot is encoded while it is computed.
        available_s = finished_s if joined else begins_s + frame_s
        encoded_s = max(max(encoded_s, available_s) + frames * costs.encode, finished_s)
        ended_s = max(ended_s, finished_s)
    return ended_s + costs.encoding_left(
        encoded_s - ended_s, cluster.ranks, cluster.dealing.part_frames
    )
