"""One video whose run is killed a few times and then comes to its end."""

import random
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fastvid.decode.film import open_source
from fastvid.errors import EXIT_BAD_INPUT, EXIT_RUN_AGAIN, InputError
from fastvid.runfile.reader import RunFile
from harness.dead_node import DeadNode
from harness.killing import (
    CALL,
    MOMENTS,
    NODE,
    OTHER,
    PATIENCE_S,
    TWO,
    WAYS,
    kill,
    refused,
    wait_for_moment,
)
from harness.running import Command, Peace, Run, as_busy_as, durable_folder
from harness.system_calls import DIE_AT
from harness.tally import Tally

RANKS = (2, 2, 3, 4)
_KILLS_A_VIDEO = 8
# Of two styles, one goes on alone for a while: so often.
_ALONE = 0.3
# Calls that a run makes which has nothing to paint any more.
_LEAST_CALLS = 20


@dataclass
class _Output:
    """The film and run file of one style. stored: by the identity of the run, the frames that were
    in the run file when it was looked at last. style_of: by that identity, too."""

    run_file: Path
    film: Path
    stored: dict[str, set[int]] = field(default_factory=dict)
    style_of: dict[str, str] = field(default_factory=dict)


class KilledVideo:
    """The video of a command in a folder that holds the material.

    peace: what it must come to, in both styles. other: the style that is taken in between.
    frames: of the clip.
    """

    def __init__(
        self,
        folder: Path,
        command: Command,
        peace: Peace,
        other: str | None,
        frames: int,
        dice: random.Random,
        tally: Tally,
    ) -> None:
        self._folder, self._command, self._other = folder, command, other
        self._peace, self._frames = peace, frames
        self._dice, self._tally = dice, tally
        self._outputs = {
            style: _Output(folder / path.with_suffix(".h5"), folder / path)
            for style, path in command.outputs().items()
        }
        # How the run was killed last, and everything that was done to it.
        self._way, self._story = WAYS[0], f"{folder.name}: {command.words()}; "
        self._blamed = False

    def run(self) -> None:
        """Kills a few times, until there were enough kills altogether; then runs in peace."""
        for _ in range(_KILLS_A_VIDEO):
            if self._tally.enough():
                break
            if not self._kill_once():
                return
            if all(output.film.exists() for output in self._outputs.values()):
                break  # the kill came too late
        self._tally.count_video()
        if self._finish() and not self._blamed:
            shutil.rmtree(self._folder)
            shutil.rmtree(durable_folder(self._folder), ignore_errors=True)

    def _kill_once(self) -> bool:
        """Starts the program and kills it; whether the run files can be used."""
        dice = self._dice
        ranks = dice.choice(RANKS)
        self._way = dice.choice([way for way in WAYS if way != OTHER or self._other])
        moment = dice.choice(MOMENTS)
        command = self._next_command()
        environment = {DIE_AT: self._call_to_die_at(command)} if self._way == CALL else {}
        run = Run(self._folder, ranks, command, environment=environment)
        if self._way != CALL:
            wait_for_moment(run, self._peace, moment, dice)
        if run.mpirun.poll() is None:
            when = environment.get(DIE_AT, f"while {moment}")
            self._story += f"{self._way} of {ranks} on {command.styles} {when}; "
            if self._way == TWO and not refused(run, dice):
                self._blame("wrong bytes", "a second command was not refused, or disturbed")
            began = time.monotonic()
            if not kill(run, self._way, dice):
                self._blame("hangs")
            if self._way != CALL:
                self._tally.count_kill(self._way, moment, time.monotonic() - began)
            elif run.mpirun.returncode:  # it has come to that call
                self._tally.count_kill(self._way, None, time.monotonic() - began)
        run.close()
        if run.mpirun.returncode == EXIT_BAD_INPUT:
            self._blame("files that do not open", self._last_words())
            return False
        if self._way == NODE:
            self._lose_the_node()
        for style in command.styles:
            self._check_run_file(style)
        return True

    def _next_command(self) -> Command:
        """The command, for one of its styles alone now and then, or anew with another style."""
        if self._way == OTHER and self._other is not None:
            (style,) = self._command.styles
            other = self._other if self._style() == style else style
            return replace(self._command, styles=(other,), more=("--restart",))
        if len(self._command.styles) > 1 and self._dice.random() < _ALONE:
            style, output = self._dice.choice(list(self._command.outputs().items()))
            return replace(self._command, styles=(style,), output=str(output))
        if self._other is not None:
            return replace(self._command, styles=(self._style(),))
        return self._command

    def _style(self) -> str:
        """Of a video of one style: the style of the run that the run file belongs to."""
        (output,) = self._outputs.values()
        return output.style_of.get(_run_id(output.run_file) or "", self._command.styles[0])

    def _painted(self, style: str) -> np.ndarray:
        """The frames as a run in peace has painted them, of both styles at once."""
        return self._peace.frames[style]

    def _call_to_die_at(self, command: Command) -> str:
        """At which of rank 0's calls, about as many as are left."""
        known = [
            len(frames) for output in self._outputs.values() for frames in output.stored.values()
        ]
        left = 1 - min(known, default=0) / self._frames
        share = len(command.styles) / len(self._peace.frames)
        calls = _LEAST_CALLS + int(left * share * self._peace.calls)
        return f"{self._dice.randint(1, calls)}:{self._dice.random():.2f}"

    def _lose_the_node(self) -> None:
        """What was written since the last fsync goes, as when the node dies."""
        node = DeadNode(self._folder, durable_folder(self._folder), self._dice)
        for output in self._outputs.values():
            kept = node.durable_file(output.run_file.name)
            output.stored = {}
            if kept is not None:
                with RunFile(kept) as file:
                    output.stored[file.run_id.text] = set(np.flatnonzero(file.stored).tolist())
        node.lose_pages()

    def _finish(self) -> bool:
        """Lets the run come to its end and looks at all of it; whether it came there."""
        command = self._command
        if self._other is not None:
            command = replace(command, styles=(self._style(),))
        run = Run(self._folder, self._dice.choice(RANKS), command)
        status: int | None = EXIT_RUN_AGAIN
        if run.wait_gone(as_busy_as(PATIENCE_S)):
            status = run.mpirun.returncode
        else:
            self._blame("hangs", "and started again in peace")
        run.close()
        if status:
            self._blame("files that do not open", f"ended with {status}: {self._last_words()}")
            return False
        for style, output in zip(command.styles, self._outputs.values(), strict=True):
            if len(self._check_run_file(style)) < self._frames:
                self._blame("frames lost", "the run file is not complete")
            self._check_film(style, output.film)
        return True

    def _check_run_file(self, style: str) -> set[int]:
        """Opens what the kill has left; returns the frames in it. style: of the last command."""
        output = self._outputs[style if style in self._outputs else self._command.styles[0]]
        if not output.run_file.exists():
            if count := max(map(len, output.stored.values()), default=0):
                self._blame("frames lost", "the run file is gone", count)
            output.stored = {}
            return set()
        try:
            with RunFile(output.run_file) as file:
                run = file.run_id.text
                before = output.stored.get(run, set())
                painted_by = output.style_of.setdefault(run, style)
                stored = self._right_frames(file, self._painted(painted_by))
        except InputError as error:
            self._blame("files that do not open", str(error))
            return set()
        if lost := sorted(before - stored):
            self._blame("frames lost", f"frames {lost}", len(lost))
        output.stored = {run: stored}
        return stored

    def _right_frames(self, file: RunFile, painted: np.ndarray) -> set[int]:
        """The frames that can be read from a run file, or were freed; all must be right."""
        stored = set(np.flatnonzero(file.stored).tolist())
        wrong = []
        for index in sorted(stored - set(np.flatnonzero(file.encoded).tolist())):
            try:
                frame = file.frame(index)
            except InputError:
                if self._way != NODE:
                    raise
                stored.discard(index)  # it has not reached the disk, which the file knows
                continue
            if not np.array_equal(frame, painted[index]):
                wrong.append(index)
        if wrong:
            self._blame("wrong bytes", f"frames {wrong}", len(wrong))
        return stored

    def _check_film(self, style: str, film: Path) -> None:
        """The film holds every frame as it is in the run file (the codec is lossless)."""
        painted, frames = self._painted(style), frames_of(film)
        if len(frames) < self._frames:
            missing = self._frames - len(frames)
            self._blame("frames lost", f"the film has {len(frames)}", missing)
        pairs = zip(frames, painted, strict=False)
        if wrong := sum(not np.array_equal(one, other) for one, other in pairs):
            self._blame("wrong bytes", "in the film", wrong)

    def _blame(self, what: str, more: str = "", count: int = 1) -> None:
        self._blamed = True
        self._tally.blame(self._way, what, self._story + more, count)

    def _last_words(self) -> str:
        """The end of what the program wrote."""
        return (self._folder / "log.txt").read_text(errors="replace")[-500:].strip()


def _run_id(run_file: Path) -> str | None:
    """Of the run that the run file belongs to; None without one."""
    try:
        with RunFile(run_file) as file:
            return file.run_id.text
    except InputError:
        return None


def frames_of(film: Path) -> list[np.ndarray]:
    """The frames of a film without loss."""
    with open_source(str(film)) as source:
        return [frame.image for frame in source]
