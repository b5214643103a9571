"""What the ranks other than 0 do: wait for a job, work on it, wait for the next, leave when
told."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from fastvid.errors import EXIT_FAILURE, FastvidError
from fastvid.logs import log_to
from fastvid.overlap import Overlap
from fastvid.parallel.communicator import Communicator, Kind, Message
from fastvid.parallel.engine import Engine
from fastvid.parallel.pulse import Pulse
from fastvid.parallel.same_input import answer_look
from fastvid.parallel.stopping import signals_stop
from fastvid.parallel.turn import take_turn
from fastvid.parallel.worker import Worker
from fastvid.stage_settings import PictureSettings
from fastvid.stages import Stages


@dataclass(frozen=True)
class JobSetup:
    """What a rank needs to know to take part in a job; travels from rank 0, with the styles.

    style_names, styles: names and checkpoints. first_frame_model: the checkpoint that paints the
    first frame of each shot, empty where the styles do. local_rank: the number of the rank among
    those of its host, which each fills in for itself. flow_dir: where flow and masks are read from,
    None where they are estimated. first_frame: where the run begins in the film.
    """

    settings: PictureSettings
    style_names: tuple[str, ...]
    styles: tuple[bytes, ...]
    lookahead: int
    keep: tuple[str, ...]
    rank_timeout_s: float
    log_dir: str | None = None
    log_level: str = "INFO"
    local_rank: int = 0
    first_frame_model: bytes = b""
    flow_dir: str | None = None
    first_frame: int = 0

    def arrays(self) -> list[np.ndarray]:
        """As the arrays of a SETUP message."""
        facts = asdict(self)
        first, styles = facts.pop("first_frame_model"), facts.pop("styles")
        texts = json.dumps(facts).encode("utf-8")
        return [np.frombuffer(data, dtype=np.uint8) for data in (texts, first, *styles)]

    @classmethod
    def from_message(cls, message: Message) -> "JobSetup":
        """From a SETUP message."""
        facts = json.loads(message.text(0))
        settings = facts["settings"]
        settings["overlap"] = Overlap(**settings["overlap"]) if settings["overlap"] else None
        facts["settings"] = PictureSettings(**settings)
        for name in ("style_names", "keep"):
            facts[name] = tuple(facts[name])
        first, *styles = (array.tobytes() for array in message.arrays[1:])
        return cls(**facts, styles=tuple(styles), first_frame_model=first)


# Benchmarks put sleeping stages in the place of the real ones.
StageFactory = Callable[[JobSetup], Stages]


def real_stages(setup: JobSetup) -> Stages:
    """The stages that paint. Raises InputError for a style that can't be loaded, or if this rank
    lacks the GPU that the run paints on."""
    # torch takes two seconds to import: only a rank that has a job pays for it.
    from fastvid.motion.source import FiledMotion
    from fastvid.stage_choice import choose_stages
    from fastvid.style.device import GPU_BATCH_SIZE, rank_device
    from fastvid.style.loading import load_frame_model
    from fastvid.style.registry import load_style

    device = rank_device(setup.settings.device, setup.local_rank)
    styles = [load_style(data, name).move_to(device)
              for name, data in zip(setup.style_names, setup.styles)]
    first = None
    if setup.first_frame_model:
        first = load_frame_model(setup.first_frame_model, "--first-frame-model").move_to(device)
    batch_size = 1 if device.type == "cpu" else GPU_BATCH_SIZE
    source = FiledMotion(setup.flow_dir, setup.first_frame) if setup.flow_dir else None
    return choose_stages(styles, setup.settings, setup.keep, batch_size, first, source)


def serve(comm: Communicator, make_stages: StageFactory = real_stages) -> int:
    """Takes part in job after job until rank 0 says to leave; returns the exit status it gave."""
    while True:
        message = comm.wait_for(Kind.SETUP, Kind.TRAIN, Kind.QUIT, Kind.LOOK)
        if message.kind is Kind.QUIT:
            return _leave(comm, message.header[0])
        if message.kind is Kind.SETUP:
            serve_job(comm, message, make_stages)
        elif message.kind is Kind.LOOK:
            answer_look(comm, message)
        else:
            from fastvid.train_ranks import join_training

            status = join_training(comm, message)
            if status is not None:
                return _leave(comm, status)


def _leave(comm: Communicator, exit_status: int) -> int:
    comm.send(0, Kind.FAREWELL)
    comm.drain()
    return exit_status


def serve_job(comm: Communicator, setup_message: Message,
              make_stages: StageFactory = real_stages) -> None:
    """Works on the job of a SETUP message until rank 0 ends it.

    Raises RemoteError if rank 0 falls silent.
    """
    comm.job = setup_message.job
    setup = replace(JobSetup.from_message(setup_message), local_rank=comm.local_rank)
    with log_to(setup.log_dir, setup.log_level, comm), signals_stop(comm):
        try:
            engine = Engine(make_stages(setup), comm.wake, setup.settings.overlap)
        except FastvidError as error:
            _fail_to_start(comm, str(error), error.exit_status)
            return
        except (ImportError, OSError, RuntimeError, MemoryError) as error:
            text = f"this rank can't start: {type(error).__name__}: {error}"
            _fail_to_start(comm, text, EXIT_FAILURE)
            return
        engine.start()
        try:
            _work(comm, Worker(comm, engine, setup.lookahead, setup.keep,
                               with_errors=setup.settings.overlap is not None),
                  Pulse(comm, engine, setup.rank_timeout_s))
        finally:
            engine.stop()


def _work(comm: Communicator, worker: Worker, pulse: Pulse) -> None:
    ended = False

    def note_end(message: Message) -> bool:
        nonlocal ended
        ended |= message.kind is Kind.END
        return ended

    while not ended:
        if not take_turn(comm, worker, pulse, note_end):
            comm.rest(worker.longest_sleep_s())


def _fail_to_start(comm: Communicator, text: str, exit_status: int) -> None:
    comm.send_text(0, Kind.FAILURE, text, [exit_status, 0])
    comm.wait_for(Kind.END)
