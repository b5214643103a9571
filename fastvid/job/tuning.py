"""What tests and benchmarks turn of a job."""

from dataclasses import dataclass

from fastvid.job.load import COMPUTE_BELOW_LOAD, ENCODE_BELOW_LOAD


@dataclass(frozen=True)
class Tuning:
    """What is right for every job, and turned by tests and benchmarks alone.

    part_frames: the length of an encoded part, None for what suits the film. compute_below_load,
    encode_below_load: see `fastvid.job.load`. end_s: how long a job that has failed waits for what
    is still to be stored and closed.
    """

    part_frames: int | None = None
    compute_below_load: float = COMPUTE_BELOW_LOAD
    encode_below_load: float = ENCODE_BELOW_LOAD
    end_s: float = 60.0


USUAL = Tuning()
