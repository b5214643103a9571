"""A job played through without computing: the same dealing, the same order of steps, only seconds.

Every rank does one step at a time, and interrupts a heavy one for the temporal pass, as
`fastvid.parallel.engine.engine` does; segments are dealt by the real `Dealer`. What rank 0 does
besides (decode, store, encode, pass on frames) takes its time from rank 0's steps, unless a core is
spare.
"""

from collections.abc import Sequence
from functools import partial

from fastvid.commands.plan.costs import Cluster, FrameCosts
from fastvid.commands.plan.encoding import SimulatedEncoding
from fastvid.commands.plan.simulated import (
    Clock,
    OwnWork,
    PartTask,
    Rank,
    Segment,
    Step,
    Task,
    dealt_segments,
)
from fastvid.parallel.dealer import NOBODY, Dealer, HandOver

# These mirror the program: see `parallel.worker`, `parallel.coordinator` and `job`.
_PREFETCH_FRAMES = 1
# The read-ahead and the segments that are announced beyond those that were asked for.
_AHEAD_SEGMENTS = 6
# What painting gets of a core for what encoding gets (`parallel.engine.threads.ENCODING_NICE`).
_PAINTS_BESIDES = 3.0


def simulate(shots: Sequence[int], costs: FrameCosts, cluster: Cluster) -> float:
    """Seconds from the first decoded frame to the last encoded one.

    shots: the number of frames of each. Pure; the same every time.
    """
    return _Simulation(shots, costs, cluster).run()


class _Simulation:
    """The state of the job; events are functions that are called when due."""

    def __init__(self, shots: Sequence[int], costs: FrameCosts, cluster: Cluster) -> None:
        self._costs = costs
        self._cluster = cluster
        self._segments = dealt_segments(shots, cluster.segment_lengths(sum(shots)))
        self._ranks = [Rank(number, speed) for number, speed in enumerate(cluster.speeds)]
        self._clock = Clock()
        self._after = self._clock.after
        self._dealer = Dealer()
        self._decoded = 0
        self._decoding = False
        self._dealt = 0
        self._hungry = 0
        self._own_request = False
        self._own = OwnWork(cluster.ranks)
        self._stored_until = 0.0
        self._successors: dict[int, int] = {}
        # How many bands of the last frame of a segment are finished, and how many of them have
        # come to the next one.
        self._ended: dict[int, int] = {}
        self._early: dict[int, int] = {}
        self._encoding = SimulatedEncoding(
            sum(shots),
            cluster.dealing.part_frames,
            costs.encode,
            after=self._after,
            may_begin=lambda: self._own.may_encode(self._clock.now),
            encodes=self._encode_here,
            shared=costs.shares_encoding and cluster.ranks > 1,
        )

    def run(self) -> float:
        for rank in self._ranks:
            self._ask(rank)
        self._decode()
        self._clock.run()
        return max(self._clock.now, self._own.seconds * self._cluster.side_share)

    def _hop(self, rank: int) -> float:
        return self._cluster.dealing.hop_s if rank else 0.0

    def _side_work(self, seconds: float) -> None:
        self._own.seconds += seconds
        self._ranks[0].owed_s += seconds * self._cluster.side_share

    # -- rank 0: decode, deal, gather ------------------------------------------------------------

    def _decode(self) -> None:
        ahead = self._decoded - self._dealt
        if self._decoding or ahead >= _AHEAD_SEGMENTS + self._hungry:
            return
        if self._decoded < len(self._segments):
            self._decoding = True
            seconds = self._segments[self._decoded].length * self._costs.take_in
            self._side_work(seconds)
            self._after(seconds, self._have_decoded)

    def _have_decoded(self) -> None:
        self._decoding = False
        segment = self._segments[self._decoded]
        self._decoded += 1
        self._dealer.add(segment.index, segment.begins_shot)
        if self._decoded == len(self._segments):
            self._dealer.close()
        self._deal()
        self._decode()

    def _request(self, rank: Rank) -> None:
        if rank.number == 0:
            self._own_request = True
        else:
            self._dealer.request(rank.number)
            self._hungry += 1
        self._deal()
        self._decode()

    def _encode_here(self) -> float:
        self._own.encoding_s += self._costs.encode
        self._side_work(self._costs.encode)
        paints = self._ranks[0].heavy is not None
        return 1.0 + paints * _PAINTS_BESIDES * self._cluster.side_share

    def _lend_parts(self) -> None:
        """Who asks for work gets a part of the video first, if there is one."""
        while waiting := [number for number in self._dealer.waiting_ranks() if number]:
            part = self._encoding.lend()
            if part is None:
                return
            self._dealer.withdraw(waiting[0])
            self._hungry -= 1
            # Its frames are read, and sent once more.
            self._side_work(part.frames * 2 * self._costs.fetch)
            self._after(self._hop(1), partial(self._begin_part, self._ranks[waiting[0]], part))

    def _deal(self) -> None:
        self._lend_parts()
        if self._own_request and self._own.may_compute(self._clock.now):
            self._own_request = False
            self._dealer.request(0)
            self._hungry += 1
        deals, hand_overs = self._dealer.deal()
        for deal in deals:
            self._dealt += 1
            self._hungry -= 1
            rank, segment = self._ranks[deal.rank], self._segments[deal.segment]
            self._side_work(segment.length * self._costs.deal)
            self._after(self._hop(deal.rank), partial(self._take, rank, segment))
        for hand_over in hand_overs:
            self._after(self._hop(hand_over.owner), partial(self._successor, hand_over))

    def _gather(self, segment: Segment) -> None:
        costs = self._costs
        self._side_work(segment.length * (costs.fetch + costs.store))
        self._stored_until = max(self._stored_until, self._clock.now) + segment.length * costs.store
        self._after(self._stored_until - self._clock.now, lambda: self._store(segment))
        self._deal()

    def _store(self, segment: Segment) -> None:
        self._encoding.store(segment)
        self._deal()

    # -- every rank: take, compute, hand over ----------------------------------------------------

    def _ask(self, rank: Rank) -> None:
        if rank.asked or rank.held >= self._cluster.dealing.lookahead:
            return
        if rank.heavy_frames_left() <= _PREFETCH_FRAMES:
            rank.asked = True
            self._after(self._hop(rank.number), lambda: self._request(rank))

    def _take(self, rank: Rank, segment: Segment) -> None:
        rank.asked = False
        rank.held += 1
        bands = self._cluster.dealing.bands
        known = bands if segment.begins_shot else self._early.get(segment.index, 0)
        rank.tasks.append(Task(segment, bands, known))
        self._ask(rank)
        self._compute(rank)

    def _compute(self, rank: Rank) -> None:
        """Begins the most urgent step, if the rank may begin one."""
        if rank.blending:
            return
        if rank.heavy is None or self._cluster.dealing.preempts:
            for task in rank.tasks:
                place = task.next_band()
                if place is not None:
                    self._blend(rank, task, place)
                    return
        if rank.heavy is None:
            rank.heavy = self._next_heavy(rank)
        if rank.heavy is not None and rank.heavy.paused:
            self._resume(rank, rank.heavy)

    def _blend(self, rank: Rank, task: Task, place: int) -> None:
        if rank.heavy is not None:
            rank.heavy.left_s = rank.heavy.ends_s - self._clock.now
            rank.heavy.paused = True
        rank.blending = True
        first = task.finished + place == 0 and task.segment.begins_shot
        seconds = 0.0 if first else self._costs.blend / task.bands / rank.speed

        def done() -> None:
            rank.blending = False
            if bands := task.finish_band(place):
                self._ended[task.segment.index] = bands
                if task.segment.index in self._successors:
                    self._hand_over(task.segment.index)
            if task.finished == task.segment.length:
                self._complete(rank, task)
            self._ask(rank)
            self._compute(rank)

        self._after(seconds, done)

    def _next_heavy(self, rank: Rank) -> Step | None:
        """The next heavy step, with what rank 0 owes to its own work on top."""
        costs = self._costs
        for task in rank.tasks:
            if task.moved > task.painted:
                counter, seconds = "painted", costs.paint
            elif task.moved < task.segment.length:
                first = task.moved == 0 and task.segment.begins_shot
                read_s = costs.read * self._cluster.side_share
                counter, seconds = "moved", read_s + (0.0 if first else costs.motion)
            else:
                continue
            seconds = (seconds + rank.owed_s) / rank.speed
            rank.owed_s = 0.0
            return Step(task, counter, seconds)
        if rank.part is not None:
            return Step(rank.part, "encoded", costs.encode / rank.speed)
        return None

    def _resume(self, rank: Rank, step: Step) -> None:
        step.paused = False
        step.ends_s = self._clock.now + step.left_s
        ends_s = step.ends_s

        def done() -> None:
            if step.paused or step.ends_s != ends_s:
                return  # it was paused meanwhile, and ends later
            rank.heavy = None
            setattr(step.task, step.counter, getattr(step.task, step.counter) + 1)
            if isinstance(step.task, PartTask) and step.task.encoded == step.task.frames:
                self._end_part(rank, step.task)
            self._ask(rank)
            self._compute(rank)

        self._after(step.left_s, done)

    def _begin_part(self, rank: Rank, part: PartTask) -> None:
        rank.part = part
        self._compute(rank)

    def _end_part(self, rank: Rank, part: PartTask) -> None:
        rank.part = None

        def arrived() -> None:
            self._encoding.settle(part)
            self._request(rank)

        self._after(self._hop(rank.number), arrived)

    def _complete(self, rank: Rank, task: Task) -> None:
        rank.tasks.remove(task)
        hop = self._hop(rank.number)

        def fetched() -> None:  # rank 0 was told, asked for it, and it is on its way
            rank.held -= 1
            self._ask(rank)
            self._after(hop, lambda: self._gather(task.segment))

        self._after(2 * hop, fetched)

    def _successor(self, hand_over: HandOver) -> None:
        self._successors[hand_over.segment] = hand_over.successor
        if hand_over.segment in self._ended:
            self._hand_over(hand_over.segment)

    def _hand_over(self, segment: int) -> None:
        successor, bands = self._successors[segment], self._ended[segment]
        if bands == self._cluster.dealing.bands:
            del self._successors[segment], self._ended[segment]
        if successor != NOBODY:
            rank = self._ranks[successor]
            hop_s = self._cluster.dealing.hop_s
            self._after(hop_s, lambda: self._boundary(rank, segment + 1, bands))

    def _boundary(self, rank: Rank, segment: int, bands: int) -> None:
        self._early[segment] = bands
        for task in rank.tasks:
            if task.segment.index == segment:
                task.known = bands
        self._compute(rank)
