"""The kinds of videos and clusters that `scaling.py` measures."""

from dataclasses import dataclass

from fastvid.stages.overlap import Overlap
from harness.emulation import Costs

_FRAMES_A_RANK = 60
# A recurrent model of Fast Artistic Videos at 640x360: everything is in the recursion.
_RECURRENT = Costs(0.0, 0.0, 1.9)
_DEFAULT_COSTS = Costs()


@dataclass(frozen=True)
class Case:
    """A kind of video on a kind of cluster. bars: number of ranks to the efficiency wanted.
    pipeline: of a recurrent model, None for a frame model."""

    title: str
    bars: dict[int, float]
    costs: Costs = _DEFAULT_COSTS
    shots: int = 1
    slow: bool = False
    pipeline: str | None = None
    frames_a_rank: int = _FRAMES_A_RANK


CASES = {
    "uncut": Case("one uncut shot", {16: 0.90, 64: 0.80}),
    "shots": Case("26 shots of uneven length", {16: 0.90, 64: 0.80}, shots=26),
    "slow": Case("uncut, one rank in four at half speed", {16: 0.85, 64: 0.75}, slow=True),
    "light": Case(
        "uncut, the bundled styles' costs", {16: 0.88, 64: 0.70}, costs=Costs(0.08, 0.24, 0.004)
    ),
    # 12 times as fast as one rank. One stretch a rank, of the default length.
    "recurrent": Case(
        "uncut, a recurrent model, --pipeline overlap",
        {16: 12 / 16},
        costs=_RECURRENT,
        pipeline="overlap",
        frames_a_rank=Overlap.segment,
    ),
    "recurrent-shots": Case(
        "26 shots, a recurrent model, --pipeline exact",
        {},
        costs=_RECURRENT,
        shots=26,
        pipeline="exact",
    ),
    "recurrent-exact": Case(
        "uncut, a recurrent model, --pipeline exact",
        {},
        costs=_RECURRENT,
        pipeline="exact",
        frames_a_rank=4,
    ),
}
# The others take half an hour and more.
DEFAULT_CASES = [name for name, case in CASES.items() if case.pipeline is None]
