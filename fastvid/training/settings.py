"""What a training run is made of. Two runs with equal settings give equal weights."""

from dataclasses import asdict, dataclass

import torch

from fastvid.errors import InputError
from fastvid.style.network import downsampling, parse_arch

# About an eighth of the time of the Fast Artistic Videos network (benchmarks/style_speed.py).
DEFAULT_ARCH = "c5s1-16,d32,d64,R64,R64,R64,U2,c3s1-32,U2,c3s1-16,c3s1-3"
MIN_SIZE = 32


@dataclass(frozen=True)
class TrainingSettings:
    """All numbers of a run; `style_weights` has one entry per painting."""

    arch: str = DEFAULT_ARCH
    size: int = 256
    painting_side: int = 768
    steps: int = 20000
    batch: int = 1
    accumulate: int = 2
    learning_rate: float = 1e-3
    content_weight: float = 0.9
    style_weights: tuple[float, ...] = (14.0,)
    tv_weight: float = 2.0
    palette_weight: float = 80.0
    temporal_weight: float = 1300.0
    stability_start: float = 0.3
    precision: str = "float32"
    seed: int = 1
    recurrent: bool = False

    def check(self) -> None:
        """Raise InputError for the first setting that can't be trained with."""
        multiple = downsampling(parse_arch(self.arch))
        if self.size < MIN_SIZE or self.size % multiple:
            raise InputError(
                f"--size {self.size}: must be at least {MIN_SIZE} and a multiple of {multiple}"
            )
        for name in ("painting_side", "steps", "batch", "accumulate", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{_option(name)} {getattr(self, name)}: must be more than 0")
        for name in ("content_weight", "tv_weight", "palette_weight", "temporal_weight"):
            if getattr(self, name) < 0:
                raise InputError(f"{_option(name)} {getattr(self, name)}: must not be negative")
        if min(self.style_weights) < 0:
            raise InputError(f"--style-weight {min(self.style_weights)}: must not be negative")
        if not 0 <= self.stability_start <= 1:
            raise InputError(f"--stability-start {self.stability_start}: must be within 0..1")
        if self.precision not in ("float32", "bfloat16"):
            raise InputError(f"--precision {self.precision}: must be float32 or bfloat16")
        if self.recurrent:
            self._check_recurrent()

    def identity(self) -> dict[str, object]:
        """What must be equal for a run to be continued: all but its length."""
        values = asdict(self)
        del values["steps"]
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


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
