"""Trainings at toy size."""

import argparse
from pathlib import Path

from fastvid.training.options import add_arguments

ARCH = "c3s1-4,d8,R8,U2,c3s1-3"


def arguments(
    folder: Path, output: Path, *more: str, paintings: tuple[str, ...] = ("red",)
) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(
        [
            "--style",
            *(str(folder / f"{name}.png") for name in paintings),
            "--data",
            str(folder / "photos"),
            "--loss-network",
            str(folder / "loss.npz"),
            "-o",
            str(output),
            "--arch",
            ARCH,
            "--size",
            "32",
            "--device",
            "cpu",
            "--report-every",
            "4",
            "--save-every",
            "4",
            *more,
        ]
    )
