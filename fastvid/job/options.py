"""What a user can set for a run: every option, declared once, with its default and its limits.

The command line, the checks, the words of a submission script and the Python signature are made
from these fields. What shapes the picture is declared in `fastvid.stages.settings`, beside what
reads it, and travels to the ranks and into the run file as it stands there.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from pathlib import Path

from fastvid.encode.codecs import available_codecs
from fastvid.errors import InputError
from fastvid.job.job_options import JOB, JobOptions
from fastvid.regions.spec import FILM, REGION, WORDS, Region
from fastvid.stages.overlap import Overlap
from fastvid.stages.settings import PICTURE, PictureOptions
from fastvid.style.cards import DEFAULT_STYLE
from fastvid.system.forms import (
    FRAMES,
    NAME_OR_PATH,
    NAMES,
    NUMBER,
    PATH,
    RATE,
    SIZE,
    Form,
    absolute,
)
from fastvid.system.options import check_options, inner_options, option, options_of

# Recurrent models: so many times as many, because shots run side by side only as far as they are
# held, and a frame that waits takes no more than its image.
RECURRENT_LOOKAHEAD_FACTOR = 4
# Stretches: the next one begins while the last one waits for its correction.
OVERLAP_LOOKAHEAD = 2
REGIONS = "regions"
KEEPABLE = ("flow", "occlusion", REGIONS)

PART, RECURRENT, OUTPUT = "which part, at which size", "recurrent models", "the output"
# The headings of the help, in order; the first options have none.
GROUPS = ("", PART, PICTURE, RECURRENT, OUTPUT, JOB)

_CUTS = Form(str, lambda cuts: cuts if cuts in ("auto", "none") else absolute(cuts))


def _codec_names() -> str:
    return " ".join(available_codecs())


def _unkeepable(names: Sequence[str]) -> str:
    known = set(names) <= set(KEEPABLE)
    return "" if known else f"is unknown; what can be kept: {', '.join(KEEPABLE)}"


@dataclass(frozen=True)
class StylizeOptions(PictureOptions, JobOptions):
    """The settings of one run. `fastvid stylize --help` explains each; all but the places of input
    and output are given by name."""

    input: Path
    output: Path
    _: KW_ONLY
    style: str | tuple[str, ...] = option(
        DEFAULT_STYLE,
        "a bundled style or a checkpoint; give several for one output each (OUTPUT.STYLE.mp4) from "
        "one pass (default: {default})",
        form=NAME_OR_PATH,
        metavar="NAME|PATH",
        repeated=True,
    )
    regions: Sequence[Region] = option(
        (),
        "paints a part of the picture in a style of its own; film leaves the film, here and in "
        "--style. MASK: a folder of numbered images, a video, or one image for all frames; :3 or "
        f":#ff0000 behind it chooses a label or a colour. Words: {' '.join(WORDS)}. Repeatable, "
        "later ones lie over earlier ones",
        group=PICTURE,
        form=REGION,
        flag="--region",
        metavar=("MASK STYLE", "WORD"),
        repeated=True,
        only_for="frame",
        why="it paints whole frames, out of those before",
    )
    run_file: Path | None = option(
        None,
        "where the frames are gathered (default: the output's name, .h5)",
        form=PATH,
        metavar="FILE.h5",
    )

    frames: tuple[int, int | None] | None = option(
        None,
        "only frames A to B-1, counted from 0; either may be left out",
        group=PART,
        form=FRAMES,
        metavar="A:B",
    )
    size: tuple[int, int] | None = option(
        None,
        "working size; -1 for one side keeps the shape",
        group=PART,
        form=SIZE,
        metavar="WxH",
    )
    fps: Fraction | None = option(
        None, "frames per second of a folder of images", group=PART, form=RATE
    )
    cuts: str = option(
        "auto",
        "where shots begin: found, nowhere, or one frame number a line (default: {default})",
        group=PART,
        form=_CUTS,
        metavar="auto|none|FILE.csv",
    )
    on_error: str = option(
        "stop",
        "at frames that can't be decoded: stop, or repeat the last good frame (default: {default})",
        group=PART,
        choices=("stop", "keep-going"),
    )

    flow_dir: Path | None = option(
        None,
        "reads backward_5_4.flo and reliable_5_4.pgm (from frame 5 to 4 of the film, counted from "
        "1) instead of computing flow; every rank must see the folder",
        group=PICTURE,
        form=PATH,
        metavar="DIR",
        recorded_as="flow_sha256",
    )

    first_frame_model: str | None = option(
        None,
        "paints the first frame of each shot instead of the model itself",
        group=RECURRENT,
        form=NAME_OR_PATH,
        metavar="NAME|PATH",
        only_for="recurrent",
        recorded_as="first_frame_sha256",
    )
    pipeline: str = option(
        "exact",
        "exact: frame after frame within a shot; overlap: shots are cut into stretches that are "
        "painted side by side and joined afterwards (default: {default})",
        group=RECURRENT,
        choices=("exact", "overlap"),
        only_for="recurrent",
        why=", which is parallel anyway",
    )
    overlap: Overlap = inner_options(Overlap(), RECURRENT)

    codec: str | None = option(None, _codec_names, group=OUTPUT, metavar="NAME")
    crf: float | None = option(
        None, "constant quality; lower is better and larger", group=OUTPUT, form=NUMBER
    )
    preset: str | None = option(
        None, "speed of the encoder, such as fast, medium, slow", group=OUTPUT
    )
    no_location: bool = option(
        False,
        "leaves out where the film was made: tags, and data tracks of cameras",
        group=OUTPUT,
    )
    keep: tuple[str, ...] = option(
        (),
        "stores these in the run file too",
        group=OUTPUT,
        form=NAMES,
        metavar=",".join(KEEPABLE),
        check=_unkeepable,
    )
    compression: str = option(
        "none",
        "of the frames in the run file (default: {default}; gzip saves about a tenth)",
        group=OUTPUT,
        choices=("none", "gzip"),
    )
    discard_frames: bool = option(
        False, "frees frames in the run file as soon as they are safely encoded", group=OUTPUT
    )
    overwrite: bool = option(False, "replaces an output that no run file belongs to", group=OUTPUT)

    def check(self) -> None:
        """Raises InputError for values out of range, or that contradict each other; files are
        looked at later."""
        if not self.styles:
            raise InputError("No style was given; `python -m fastvid styles` lists them.")
        if self.stretches is None:
            _refuse_overlap(self)
        check_options(self)
        if REGIONS in self.keep and not self.regions:
            raise InputError("--keep regions: there are no regions; say which with --region.")
        if FILM in self.styles and not self.regions:
            raise InputError(
                f"--style {FILM} alone paints nothing: say with --region what is to be painted."
            )
        if self.stretches is not None:
            self.stretches.check()
        if self.flow_dir and self.estimates_otherwise:
            raise InputError(
                "--flow-dir brings flow and masks: leave out --flow, --flow-scale and "
                "--mask-boundaries, which say how to compute them."
            )
        if self.time_limit is not None and self.time_limit <= self.grace:
            raise InputError(
                f"--time-limit {self.time_limit:g} leaves nothing beside --grace "
                f"{self.grace:g}; give more of the one or less of the other."
            )

    @property
    def stretches(self) -> Overlap | None:
        """How shots are cut into stretches, None if they are not."""
        return self.overlap if self.pipeline == "overlap" else None

    def held_at_most(self, recurrent: bool) -> int:
        """Segments, or stretches of them, that a rank may hold unfinished."""
        if self.stretches is not None:
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


def _refuse_overlap(options: StylizeOptions) -> None:
    """Raises InputError for what is said of stretches where shots are not cut into any."""
    for one in options_of(StylizeOptions):
        if one.path[0] == "overlap" and one.is_changed(options):
            raise InputError(
                f"{one.flag} is for --pipeline overlap; give that too, or leave it out."
            )


def _with_style(path: Path, name: str) -> Path:
    # A colon, as mixtures have it, would make the start of a file's name a protocol to FFmpeg.
    name = name.replace(":", "_")
    return path.with_name(f"{path.stem}.{name}{path.suffix}")
