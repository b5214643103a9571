"""What a user can set for a run, with the defaults, in one place."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from fastvid.errors import InputError
from fastvid.motion.flow import DEFAULT_FLOW_METHOD
from fastvid.stages.overlap import Overlap
from fastvid.stages.temporal import DEFAULT_STRENGTH, check_strength
from fastvid.style.cards import DEFAULT_STYLE

# Small segments keep the wavefront tight (DESIGN.md: 4 frames .99/.88 at 16/64 ranks, 8 frames
# .99/.81).
DEFAULT_SEGMENT_LENGTH = 4
# Segments that a rank may hold unfinished: what is painted ahead of the in-order temporal pass.
DEFAULT_LOOKAHEAD = 4
# Recurrent models: so many times as many, because shots run side by side only as far as they are
# held, and a frame that waits takes no more than its image.
RECURRENT_LOOKAHEAD_FACTOR = 4
# Stretches: the next one begins while the last one waits for its correction.
OVERLAP_LOOKAHEAD = 2
# From the warning to the end: less than Slurm's KillWait, which is 30 s as a rule.
DEFAULT_GRACE_S = 8.0
# A rank that is not heard of for so long is taken for dead.
DEFAULT_RANK_TIMEOUT_S = 300.0
DEVICES = ("auto", "cpu", "cuda")
# Who decodes the input: rank 0 for all ranks, or each its own frames from a shared file system.
DECODERS = ("rank0", "local", "auto")
KEEPABLE = ("flow", "occlusion")
PIPELINES = ("exact", "overlap")


@dataclass(frozen=True)
class StylizeOptions:
    """The settings of one run. `fastvid stylize --help` explains each."""

    input: Path
    output: Path
    style: str | tuple[str, ...] = DEFAULT_STYLE
    first_frame_model: str | None = None
    run_file: Path | None = None
    # Which part, at which size
    frames: tuple[int, int | None] | None = None
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    on_error: str = "stop"
    cuts: str = "auto"
    # The picture
    flow: str = DEFAULT_FLOW_METHOD
    flow_scale: float = 1.0
    mask_boundaries: bool = False
    flow_dir: Path | None = None
    temporal_strength: float = DEFAULT_STRENGTH
    strength: float = 1.0
    keep_colors: bool = False
    # Recurrent models
    pipeline: str = "exact"
    overlap_segment: int = Overlap.segment
    overlap_warm_up: int = Overlap.warm_up
    overlap_recompute: int = Overlap.recompute
    overlap_fade: int = Overlap.fade
    overlap_tolerance: float = Overlap.tolerance
    # The output
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    compression: str = "none"
    keep: tuple[str, ...] = ()
    discard_frames: bool = False
    # The job
    segment_length: int = DEFAULT_SEGMENT_LENGTH
    lookahead: int = DEFAULT_LOOKAHEAD
    threads: int | None = None
    device: str = "auto"
    decode: str = "rank0"
    restart: bool = False
    overwrite: bool = False
    time_limit: float | None = None
    grace: float = DEFAULT_GRACE_S
    rank_timeout: float = DEFAULT_RANK_TIMEOUT_S
    log_dir: Path | None = None
    log_level: str = "INFO"

    def check(self) -> None:
        """Raises InputError for values that contradict themselves; files are looked at later."""
        if not self.styles:
            raise InputError("No style was given; `python -m fastvid styles` lists them.")
        if not 0.0 <= self.strength <= 1.0:
            raise InputError(f"--strength {self.strength:g} is outside 0..1.")
        check_strength(self.temporal_strength)
        if not 0.0 < self.flow_scale <= 1.0:
            raise InputError(f"--flow-scale {self.flow_scale:g} is outside 0..1; 0.5 is half size.")
        estimating = (DEFAULT_FLOW_METHOD, 1.0, False)
        if self.flow_dir and (self.flow, self.flow_scale, self.mask_boundaries) != estimating:
            raise InputError(
                "--flow-dir brings flow and masks: leave out --flow, --flow-scale and "
                "--mask-boundaries, which say how to compute them."
            )
        if self.pipeline not in PIPELINES:
            raise InputError(f"--pipeline {self.pipeline} is neither exact nor overlap.")
        if self.overlap is not None:
            self.overlap.check()
        for name, value in asdict(Overlap()).items():
            if self.overlap is None and getattr(self, f"overlap_{name}") != value:
                raise InputError(
                    f"--overlap-{name.replace('_', '-')} is for --pipeline overlap; "
                    "give that too, or leave it out."
                )
        for name, count in (
            ("--segment-length", self.segment_length),
            ("--lookahead", self.lookahead),
            ("--threads", self.threads),
        ):
            if count is not None and count < 1:
                raise InputError(f"{name} {count} is less than 1.")
        for name, seconds in (
            ("--time-limit", self.time_limit),
            ("--grace", self.grace),
            ("--rank-timeout", self.rank_timeout),
        ):
            if seconds is not None and not seconds > 0:
                raise InputError(f"{name} {seconds:g} is not above 0 seconds.")
        if self.time_limit is not None and self.time_limit <= self.grace:
            raise InputError(
                f"--time-limit {self.time_limit:g} leaves nothing beside --grace "
                f"{self.grace:g}; give more of the one or less of the other."
            )
        if self.on_error not in ("stop", "keep-going"):
            raise InputError(f"--on-error {self.on_error} is neither stop nor keep-going.")
        if self.device not in DEVICES:
            raise InputError(f"--device {self.device} is unknown; there are {', '.join(DEVICES)}.")
        if self.decode not in DECODERS:
            raise InputError(f"--decode {self.decode} is unknown; there are {', '.join(DECODERS)}.")
        if self.compression not in ("none", "gzip"):
            raise InputError(f"--compression {self.compression} is neither none nor gzip.")
        for name in self.keep:
            if name not in KEEPABLE:
                raise InputError(f"--keep {name} is unknown; what can be kept: flow, occlusion.")

    @property
    def overlap(self) -> Overlap | None:
        """How shots are cut into stretches, None if they are not."""
        if self.pipeline != "overlap":
            return None
        return Overlap(
            self.overlap_segment,
            self.overlap_warm_up,
            self.overlap_recompute,
            self.overlap_fade,
            self.overlap_tolerance,
        )

    def held_at_most(self, recurrent: bool) -> int:
        """Segments, or stretches of them, that a rank may hold unfinished."""
        if self.overlap is not None:
            return OVERLAP_LOOKAHEAD
        return self.lookahead * (RECURRENT_LOOKAHEAD_FACTOR if recurrent else 1)

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles, one or more."""
        return (self.style,) if isinstance(self.style, str) else tuple(self.style)

    @property
    def run_path(self) -> Path:
        """The run file of a single style: as given, else the output's name with the ending .h5."""
        if self.run_file is not None:
            return self.run_file
        return self.output.parent / (self.output.stem + ".h5")

    def places(self, names: Sequence[str]) -> list[tuple[Path, Path]]:
        """(output, run file) of each style, by the styles' names.

        A single style has them as given; of several, each has its name before the extension. Raises
        InputError if two styles have one name.
        """
        if len(names) == 1:
            return [(self.output, self.run_path)]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"Two of the styles are called {name}: their outputs would have "
                    "one name. Rename one of the checkpoints."
                )
        return [
            (_with_style(self.output, name), _with_style(self.run_path, name)) for name in names
        ]


def _with_style(path: Path, name: str) -> Path:
    # A colon, as mixtures have it, would make the start of a file's name a protocol to FFmpeg.
    name = name.replace(":", "_")
    return path.with_name(f"{path.stem}.{name}{path.suffix}")
