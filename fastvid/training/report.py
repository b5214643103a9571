"""What a run shows of itself while it trains: a line of losses, a table of them, and pictures."""

import csv
import io
from pathlib import Path

import cv2
import numpy as np
import torch

from fastvid.system.files import write_atomically
from fastvid.training.sampling import as_images
from fastvid.training.trainer import TERMS, Trainer

SHEET_PHOTOS = 5
SHEET_SIDE = 256


class LossTable:
    """losses.csv in the run's folder: one row per report, means over the steps since the last."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "losses.csv"
        self._rows: list[list[str]] = []
        if self._path.is_file():
            with open(self._path, newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))[1:]
            # Rows of steps that were lost with the state before them come again.
            self._rows = [row for row in rows if row and int(row[0]) <= step]

    def add(self, step: int, seconds_per_step: float, means: dict[str, float]) -> None:
        """Append a row and write the table."""
        values = [f"{means[name]:.6g}" for name in TERMS]
        self._rows.append([str(step), f"{seconds_per_step:.3f}", *values])
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(["step", "seconds_per_step", *TERMS])
        writer.writerows(self._rows)
        write_atomically(self._path, buffer.getvalue().encode())


def contact_sheet(trainer: Trainer, photos: list[np.ndarray]) -> np.ndarray:
    """A row per photograph: itself, then painted in each style; uint8 BGR."""
    rows = []
    for photo in photos:
        images = as_images([photo], trainer.device)
        painted = [
            _as_picture(trainer.paint(images, style)) for style in range(len(trainer.targets))
        ]
        rows.append(np.hstack([photo, *painted]))
    return np.vstack(rows)


def write_sheet(trainer: Trainer, photos: list[np.ndarray], folder: Path) -> Path:
    """Writes the contact sheet of the current weights into the folder; returns its path."""
    path = folder / f"pictures_{trainer.step_number:06d}.png"
    _, encoded = cv2.imencode(".png", contact_sheet(trainer, photos))
    write_atomically(path, encoded.tobytes())
    return path


def square(photo: np.ndarray, side: int = SHEET_SIDE) -> np.ndarray:
    """The middle of a photograph as a square of `side` pixels."""
    taken = min(photo.shape[:2])
    top, left = (photo.shape[0] - taken) // 2, (photo.shape[1] - taken) // 2
    middle = photo[top : top + taken, left : left + taken]
    shrunk: np.ndarray = cv2.resize(middle, (side, side), interpolation=cv2.INTER_AREA)
    return shrunk


def _as_picture(images: torch.Tensor) -> np.ndarray:
    picture: np.ndarray = np.rint(images[0].float().permute(1, 2, 0).cpu().numpy())
    return picture.clip(0, 255).astype(np.uint8)
