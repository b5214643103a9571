"""Trains a style from a painting."""

import argparse

from fastvid.parallel.mpi.communicator import Communicator
from fastvid.training.options import add_arguments as add_training_arguments
from fastvid.training.ranks import lead_training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid train`."""
    parser.description = "Trains a style from a painting and a folder of photographs."
    add_training_arguments(parser)


def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Trains on all ranks."""
    lead_training(parsed, comm)
    return 0
