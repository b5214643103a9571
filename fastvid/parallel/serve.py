"""What the ranks other than 0 do: wait for a job, work on it, wait for the next, leave when
told."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from fastvid.errors import EXIT_FAILURE, FastvidError
from fastvid.parallel.communicator import Communicator, Kind, Message
from fastvid.parallel.engine import Engine
from fastvid.parallel.worker import Worker
from fastvid.settings import PictureSettings
from fastvid.stages import Stages

WORKER_KINDS = (Kind.SEGMENT, Kind.SUCCESSOR, Kind.BOUNDARY, Kind.FETCH)


@dataclass(frozen=True)
class JobSetup:
    """What a rank needs to know to take part in a job; travels from rank 0, the style included."""

    settings: PictureSettings
    style_name: str
    style: bytes
    lookahead: int
    keep: tuple[str, ...]

    def arrays(self) -> list[np.ndarray]:
        """As the arrays of a SETUP message."""
        facts = {"settings": asdict(self.settings), "style_name": self.style_name,
                 "lookahead": self.lookahead, "keep": self.keep}
        texts = json.dumps(facts).encode("utf-8")
        return [np.frombuffer(data, dtype=np.uint8) for data in (texts, self.style)]

    @classmethod
    def from_message(cls, message: Message) -> "JobSetup":
        """From a SETUP message."""
        facts = json.loads(message.text(0))
        return cls(PictureSettings(**facts["settings"]), facts["style_name"],
                   message.arrays[1].tobytes(), facts["lookahead"], tuple(facts["keep"]))


# Benchmarks put sleeping stages in the place of the real ones.
StageFactory = Callable[[JobSetup], Stages]


def real_stages(setup: JobSetup) -> Stages:
    """The stages that paint. Raises InputError for a style that can't be loaded."""
    # torch takes two seconds to import: only a rank that has a job pays for it.
    from fastvid.repaint import Repaint
    from fastvid.style.registry import load_style

    return Repaint(load_style(setup.style, setup.style_name), setup.settings, setup.keep)


def serve(comm: Communicator, make_stages: StageFactory = real_stages) -> int:
    """Takes part in job after job until rank 0 says to leave; returns the exit status it gave."""
    while True:
        message = comm.wait_for(Kind.SETUP, Kind.QUIT)
        if message.kind is Kind.QUIT:
            return message.header[0]
        serve_job(comm, message, make_stages)


def serve_job(comm: Communicator, setup_message: Message,
              make_stages: StageFactory = real_stages) -> None:
    """Works on the job of a SETUP message until rank 0 ends it."""
    comm.job = setup_message.job
    setup = JobSetup.from_message(setup_message)
    try:
        engine = Engine(make_stages(setup), comm.wake)
    except FastvidError as error:
        comm.send_text(0, Kind.FAILURE, str(error), [error.exit_status])
        comm.wait_for(Kind.END)
        return
    except (ImportError, OSError, RuntimeError, MemoryError) as error:
        text = f"this rank can't start: {type(error).__name__}: {error}"
        comm.send_text(0, Kind.FAILURE, text, [EXIT_FAILURE])
        comm.wait_for(Kind.END)
        return
    worker = Worker(comm, engine, setup.lookahead, setup.keep)
    engine.start()
    try:
        while True:
            active = False
            for message in comm.poll():
                if message.kind is Kind.END:
                    return
                worker.handle(message)
                active = True
            if not (worker.step() or active):
                comm.rest()
    finally:
        engine.stop()
