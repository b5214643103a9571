"""`fastvid train`: the run from the files to the exported styles."""

import argparse
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import torch

from fastvid.errors import InputError, Stopped
from fastvid.runfile.lock import RunLock
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.lossnet import load_loss_network
from fastvid.system.files import write_atomically
from fastvid.training.options import output_paths, settings_of, state_folder
from fastvid.training.photos import PhotoSet, find_photos, read_painting, read_photo
from fastvid.training.recurrent_trainer import RecurrentTrainer
from fastvid.training.report import SHEET_PHOTOS, SHEET_SIDE, LossTable, square, write_sheet
from fastvid.training.settings import TrainingSettings, choose_device
from fastvid.training.start import read_start
from fastvid.training.state import STATE_NAME, parse_state, read_state_bytes, state_bytes
from fastvid.training.trainer import TERMS, Trainer
from fastvid.training.video_pairs import find_videos, load_video_pairs
from fastvid.training.video_sequences import load_video_sequences
from fastvid.training.world import World, connected, from_rank_0

_LOG = logging.getLogger(__name__)

# Steps can take long on a machine that has other work: no more than this is lost with it.
SAVE_AT_LEAST_EVERY_S = 240.0


def run(
    args: argparse.Namespace,
    world: World = World(),
    say: Callable[[str], None] = _LOG.info,
    stop: Callable[[], str | None] = lambda: None,
) -> None:
    """Train to the end of `--steps`, continuing from the state folder if there is one.

    Rank 0 alone writes files and calls `say` with a line of progress. stop: asked after every step
    for a reason to stop early; it must give all ranks the same answer. Raises InputError for what
    the user gave, FastvidError if training diverges, StorageError if a file can't be written,
    Stopped if it was asked to stop, after the state was saved.
    """
    start = read_start(args.start, len(args.paintings)) if args.start else None
    settings = settings_of(args, start)
    settings.check()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    device = choose_device(args.device, world.rank)
    outputs = output_paths(args.paintings, args.output)
    folder = state_folder(args)
    photos = find_photos(args.data, settings.size)
    paintings = [
        read_painting(path, side)
        for path, side in zip(args.paintings, settings.painting_sides, strict=True)
    ]
    loss_network = load_loss_network(args.loss_network, settings.pooling)
    video_paths = find_videos(args.video_data) if args.video_data else []
    make_trainer = _trainer_kind(settings, video_paths)
    with connected(world, device):
        trainer = make_trainer(
            settings, photos, paintings, loss_network, device, world, start=start
        )
        identity = {
            **settings.identity(),
            "paintings": _hashes(args.paintings),
            "videos": _hashes(video_paths),
            "photographs": len(photos.training),
            "start": list(start.hashes) if start else [],
            # Pictures, styles and the size of a batch follow from their number.
            "ranks": world.size,
        }
        _restore(trainer, folder, identity)
        if world.rank == 0:
            _make_folders({folder, *(output.parent for output in outputs)})
            say(
                f"{len(photos.training)} photographs, {len(outputs)} styles, {device}, "
                f"step {trainer.step_number}{_end(settings)}; state in {folder}"
            )
        _train(trainer, args, folder, identity, outputs, say, stop)


@contextmanager
def owned_state(args: argparse.Namespace) -> Iterator[None]:
    """Makes the folder of the run's state and holds its lock: two trainings at once would overwrite
    each other's steps. What is still empty in the end goes again.

    Raises InputError if another training holds it, or if it can't be made.
    """
    folder = state_folder(args)
    _make_folders([folder])
    try:
        with RunLock(folder / STATE_NAME, "--state"):
            yield
    finally:
        with suppress(OSError):
            folder.rmdir()


def export_styles(trainer: Trainer, outputs: list[Path]) -> None:
    """Write a plain checkpoint of every style, each one atomically."""
    for style, path in enumerate(outputs):
        bank = trainer.average
        weights = bank.exported(style)
        data = checkpoint_bytes(
            bank.arch, weights, path.stem, variant=bank.variant, dtype=torch.float16
        )
        write_atomically(path, data)


def _trainer_kind(settings: TrainingSettings, video_paths: list[str]) -> Callable[..., Trainer]:
    """What makes the trainer of these settings, with what it learns from the videos."""
    if settings.recurrent:
        sequences = load_video_sequences(video_paths, settings.size) if video_paths else None
        return partial(RecurrentTrainer, videos=sequences)
    pairs = load_video_pairs(video_paths, settings.size) if video_paths else None
    return partial(Trainer, videos=pairs)


def _train(
    trainer: Trainer,
    args: argparse.Namespace,
    folder: Path,
    identity: dict[str, object],
    outputs: list[Path],
    say: Callable[[str], None],
    stop: Callable[[], str | None],
) -> None:
    settings, lead = trainer.settings, trainer.world.rank == 0
    table = LossTable(folder, trainer.step_number)
    shown = _sheet_photos(trainer.photos) if lead else []
    sums, count, started = dict.fromkeys(TERMS, 0.0), 0, time.perf_counter()
    saved = time.monotonic()
    while trainer.progress < 1:
        terms = trainer.step()
        sums = {name: sums[name] + terms[name] for name in TERMS}
        count += 1
        step, last = trainer.step_number, trainer.progress == 1
        if lead and (last or step % args.report_every == 0):
            seconds = (time.perf_counter() - started) / count
            means = {name: sums[name] / count for name in TERMS}
            table.add(step, seconds, means)
            say(_progress_line(trainer, seconds, means))
            sums, count, started = dict.fromkeys(TERMS, 0.0), 0, time.perf_counter()
        reason = None if last else stop()
        shows = bool(last or reason or step % args.save_every == 0)
        if lead and (shows or time.monotonic() - saved >= SAVE_AT_LEAST_EVERY_S):
            state = {**trainer.state(), "identity": identity}
            write_atomically(folder / STATE_NAME, state_bytes(state))
            export_styles(trainer, outputs)
            saved = time.monotonic()
        if lead and shows:
            say(f"saved; pictures in {write_sheet(trainer, shown, folder)}")
        if reason:
            raise Stopped(
                f"stopped by {reason} after step {step}{_end(settings)}.\n"
                "The same command goes on from there."
            )


def _restore(trainer: Trainer, folder: Path, identity: dict[str, object]) -> None:
    data = read_state_bytes(folder) if trainer.world.rank == 0 else None
    data = from_rank_0(trainer.world, data, trainer.device)
    if data is not None:
        trainer.restore(parse_state(data, folder, identity))


def _make_folders(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path}: cannot make the folder: {error.strerror}") from error


def _sheet_photos(photos: PhotoSet) -> list:
    chosen = photos.held_out[:SHEET_PHOTOS]
    return [square(read_photo(path, SHEET_SIDE)) for path in chosen]


def _end(settings: TrainingSettings) -> str:
    """After a number of steps: of how many."""
    return f" of {settings.steps}" if settings.minutes is None else ""


def _progress_line(trainer: Trainer, seconds: float, means: dict[str, float]) -> str:
    settings, step = trainer.settings, trainer.step_number
    if settings.minutes is None:
        count, left = f"{step}/{settings.steps}", (settings.steps - step) * seconds
    else:
        count, left = str(step), 60 * settings.minutes - trainer.seconds
    terms = "  ".join(f"{name} {means[name]:.4f}" for name in TERMS)
    return f"step {count}  {seconds:.2f} s/step  {left / 60:.0f} min left  {terms}"


def _hashes(paths: list[str]) -> list[str]:
    return [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
