"""The command line: which command is meant, and its call. Runs on rank 0 alone."""

import sys

from fastvid.commands.stylize import DESCRIPTION, stylize_options, stylize_parser
from fastvid.commands.table import COMMANDS
from fastvid.errors import EXIT_BAD_INPUT
from fastvid.job.progress import Progress
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.arguments import Parser
from fastvid.system.version import __version__

_EPILOG = """commands:
  stylize      repaint a video (the default: `fastvid in.mp4 -o out.mp4`)
  styles       list the bundled styles, or say what a model file is
  convert      write another program's model (.t7, .pth) as a checkpoint of this one
  encode       encode a finished run again, without computing
  export-flow  write a run's flow and masks as .flo and .pgm files
  status       tell what of a run is done, and what is left
  plan         foretell time, memory and disk of a run on other numbers of ranks
  preview      paint a few frames in every style, to choose from
  evaluate     measure the steadiness and sharpness of a finished run
  train        train a style from a painting
  clip         write the generated demonstration clip

In parallel: mpirun -n 16 python -m fastvid in.mp4 -o out.mp4
Help for a command: python -m fastvid COMMAND --help
"""


def run_command_line(arguments: list[str], comm: Communicator) -> int:
    """Runs one command; returns the exit status. Raises FastvidError for what goes wrong."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(f"usage: python -m fastvid [COMMAND] ...\n\n{DESCRIPTION}\n\n{_EPILOG}")
        return 0 if arguments else EXIT_BAD_INPUT
    if arguments[0] in ("-V", "--version"):
        sys.stdout.write(f"fastvid {__version__}\n")
        return 0
    command, rest = arguments[0], arguments[1:]
    if command in COMMANDS:  # for one process; the other ranks wait meanwhile
        add_arguments, run = COMMANDS[command]
        parser = Parser(prog=f"fastvid {command}")
        add_arguments(parser)
        return run(parser.parse_args(rest))
    if command == "train":
        # torch takes two seconds to import: only those who need it pay for it.
        from fastvid.training.ranks import lead_training

        lead_training(rest, comm)
        return 0
    return _stylize(rest if command == "stylize" else arguments, comm)


def _stylize(arguments: list[str], comm: Communicator) -> int:
    parsed = stylize_parser().parse_args(arguments)
    options = stylize_options(parsed)
    from fastvid.job.run import run_job

    run_job(options, comm, Progress(parsed.progress))
    return 0
