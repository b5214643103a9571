"""A film with its masks on it, to judge them."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from fastvid.decode.film import open_source
from fastvid.decode.source import VideoSource
from fastvid.encode.encoded_parts import part_folder
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.job.options import StylizeOptions
from fastvid.runfile.reader import RunFile

# Inside, so much of this colour; outside, the film is darkened to so much.
_COLOR = np.array([40, 220, 90], np.float32)
_COLOR_SHARE, _DARK_SHARE = 0.45, 0.6


def write_overlay(run_path: Path, path: Path, options: StylizeOptions, threads: int) -> None:
    """Writes the film of a finished run of masks as a video: green inside, dark outside.

    Raises InputError or StorageError if that can't be done.
    """
    with (
        RunFile(run_path) as run,
        open_source(
            str(options.input),
            size=(run.width, run.height),
            frames=options.frames,
            fps=options.fps,
            on_error=options.on_error,
        ) as source,
    ):
        _write(run, source, path, options, threads)


def _write(
    run: RunFile, source: VideoSource, path: Path, options: StylizeOptions, threads: int
) -> None:
    plan = plan_output(
        path,
        info=source.info,
        codec=None,
        crf=None,
        preset=None,
        source=options.input,
        overwrite=True,
    )
    part = part_folder(plan.path).with_suffix(".overlay")
    encoder = open_encoder(plan, part, threads)
    try:
        for frame in source:
            shown = overlaid(frame.image, run.frame(frame.index)[..., 0])
            encoder.write(shown, frame.pts, frame.duration)
        encoder.close()
        mux(plan, [part], source=None, span=None, source_video_stream_index=0)
    except BaseException:
        encoder.abort()
        raise
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def overlaid(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A frame with its mask, (H, W, 3) uint8 RGB."""
    share = mask[..., None].astype(np.float32) / 255
    inside = (1 - _COLOR_SHARE) * image + _COLOR_SHARE * _COLOR
    shown: np.ndarray = share * inside + (1 - share) * _DARK_SHARE * image
    levels: np.ndarray = np.rint(shown).astype(np.uint8)
    return levels
