"""A job that makes masks: opened in its own way, run as any other."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fastvid.decode.cuts import check_cuts
from fastvid.decode.film import fingerprint, open_source
from fastvid.decode.source import VideoSource
from fastvid.errors import InputError
from fastvid.job.opening import OpenedJob, OpenedStyle, open_film, plan_of
from fastvid.job.options import StylizeOptions
from fastvid.masking.network import NETWORK, MaskNetwork
from fastvid.masking.seeds import SEEDS, SeedFile, check_seeds, packed, read_seed
from fastvid.style.loading import StyleFile

# GrabCut, and the guided filter, while they work on one frame.
_BYTES_PER_PX = 400


@dataclass(frozen=True)
class MaskMaker:
    """What makes the masks: a network's file, or seeds.

    model: .onnx or .tflite, None for seeds. model_size: (width, height) of its picture.
    """

    model: Path | None
    model_size: tuple[int, int]
    seeds: Sequence[SeedFile] = ()

    def open(self, options: StylizeOptions, stack: ExitStack) -> OpenedJob:
        """Opens the film and what makes the masks; `stack` closes the film again.

        Raises InputError for everything that the user can put right.
        """
        source = stack.enter_context(open_film(options, options.input))
        check_cuts(options.cuts, source.frame_count)
        file = self._network() if self.model else self._seeds(options, source)
        info, output, run_path = source.info, options.output, options.run_path
        plan = plan_of(options, info, output, run_path)
        return OpenedJob(
            options,
            (OpenedStyle(file, None, output, run_path, plan),),
            None,
            False,
            source,
            _BYTES_PER_PX * info.width * info.height,
            fingerprint(str(options.input)),
            options.input,
            masking=f"{NETWORK} {self.model_size[0]}x{self.model_size[1]}" if self.model else SEEDS,
        )

    def _network(self) -> StyleFile:
        assert self.model is not None
        try:
            file = StyleFile(self.model.name, self.model.read_bytes())
        except OSError as error:
            raise InputError(f"{self.model}: can't be read: {error.strerror}.") from error
        MaskNetwork(file.data, file.name, self.model_size)
        return file

    def _seeds(self, options: StylizeOptions, source: VideoSource) -> StyleFile:
        first = options.frames[0] if options.frames else 0
        check_seeds(self.seeds, first, source.frame_count)
        planes = {}
        for seed in self.seeds:
            size = source.info.width, source.info.height
            frames = seed.frame, seed.frame + 1
            with open_source(str(options.input), size=size, frames=frames, fps=options.fps) as film:
                image = next(iter(film)).image
            planes[seed.frame - first] = read_seed(seed.path, image)
        return StyleFile(SEEDS, packed(planes))
