"""What a training run is made of. Two runs with equal settings give equal weights."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from fastvid.errors import InputError
from fastvid.style.lossnet import POOLINGS
from fastvid.style.network import downsampling, parse_arch

# That of the bundled styles, so that a new one may begin with their weights.
DEFAULT_ARCH = "c5s1-16,d32,d64,R64,R64,R64,R64,R64,U2,c3s1-32,U2,c3s1-16,c3s1-3"
# A recurrent model learns from the loss against its past to follow it; the others leave most of
# the steadying to the temporal filter.
RECURRENT_TEMPORAL_WEIGHT = 1300.0
MIN_SIZE = 32
# auto: bfloat16 where the processor or GPU multiplies it faster, and float32 elsewhere.
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainingSettings:
    """All numbers of a run; `style_weights` and `painting_sides` have one entry per painting.

    minutes: how long it trains, whatever number of steps that is; None: for `steps` steps.
    """

    arch: str = DEFAULT_ARCH
    size: int = 256
    painting_sides: tuple[int, ...] = (480,)
    steps: int = 20000
    batch: int = 1
    accumulate: int = 1
    learning_rate: float = 1e-3
    content_weight: float = 1.5
    style_weights: tuple[float, ...] = (30.0,)
    patch_weight: float = 1.0
    tv_weight: float = 0.0
    temporal_weight: float = 50.0
    pair_share: float = 0.5
    stability_start: float = 0.3
    pooling: str = "max"
    precision: str = "auto"
    seed: int = 1
    recurrent: bool = False
    only_norms: bool = False
    minutes: float | None = None

    def check(self) -> None:
        """Raise InputError for the first setting that can't be trained with."""
        multiple = downsampling(parse_arch(self.arch))
        if self.size < MIN_SIZE or self.size % multiple:
            raise InputError(
                f"--size {self.size}: must be at least {MIN_SIZE} and a multiple of {multiple}"
            )
        for name in ("steps", "batch", "accumulate", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{_option(name)} {getattr(self, name)}: must be more than 0")
        if min(self.painting_sides) <= 0:
            raise InputError(f"--painting-side {min(self.painting_sides)}: must be more than 0")
        for name in ("content_weight", "patch_weight", "tv_weight", "temporal_weight"):
            if getattr(self, name) < 0:
                raise InputError(f"{_option(name)} {getattr(self, name)}: must not be negative")
        if min(self.style_weights) < 0:
            raise InputError(f"--style-weight {min(self.style_weights)}: must not be negative")
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"--minutes {self.minutes}: must be more than 0")
        for name in ("stability_start", "pair_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{_option(name)} {getattr(self, name)}: must be within 0..1")
        if self.pooling not in POOLINGS:
            raise InputError(f"--pooling {self.pooling}: must be {' or '.join(POOLINGS)}")
        if self.precision not in PRECISIONS:
            raise InputError(f"--precision {self.precision}: must be {', '.join(PRECISIONS)}")
        if self.recurrent:
            self._check_recurrent()

    def identity(self) -> dict[str, object]:
        """What must be equal for a run to be continued: all but its length."""
        values = asdict(self)
        del values["steps"], values["minutes"]
        if not self.recurrent:
            # States that were saved before there were recurrent models lack it.
            del values["recurrent"]
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    def _check_recurrent(self) -> None:
        """Without a loss against the past, or frames that have one, the past means nothing."""
        if self.temporal_weight == 0:
            raise InputError(
                "--temporal-weight 0: a --recurrent model learns from it to follow "
                "its past; give more, or leave out --recurrent"
            )
        if self.stability_start == 1:
            raise InputError(
                "--stability-start 1: a --recurrent model would never be shown a "
                "past; give less, or leave out --recurrent"
            )


def choose_device(name: str, rank: int = 0) -> torch.device:
    """The torch device for auto, cpu or cuda; ranks on one machine share its GPUs in turn."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name not in ("auto", "cuda"):
        raise InputError(f"--device {name}: must be auto, cpu or cuda")
    if not torch.cuda.is_available():
        raise InputError("--device cuda: this torch finds no CUDA GPU; use --device cpu")
    return torch.device("cuda", rank % torch.cuda.device_count())


def convolution_type(name: str, device: torch.device) -> torch.dtype:
    """What convolutions and the loss network compute in on a device, for one of PRECISIONS."""
    if name == "float32":
        return torch.float32
    if name == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _processor_has_bf16()
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16


def _processor_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself: without, torch does it in slow motion."""
    try:
        return any(
            f" {flag}" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
            for flag in ("amx_bf16", "avx512_bf16")
        )
    except OSError:
        return False


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
