"""What the user sees while a job runs."""

import io

import pytest

from fastvid.job.progress import Progress
from fastvid.job.steps import idle_note


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines_of_a_run(seconds: int, total: int | None, done: int = 0) -> list[str]:
    """A run of one frame a second from frame `done` on, seen every 0.2 s."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress("lines", stream, clock)
    for tick in range(5 * seconds + 1):
        progress.update(done + tick // 5, total, {"paint": 0.75, "motion": 0.25})
        clock.now += 0.2
    progress.close()
    return stream.getvalue().splitlines()


def test_a_log_gets_a_line_now_and_then() -> None:
    lines = lines_of_a_run(60, total=70)
    assert 2 <= len(lines) <= 6
    assert lines[0].startswith("frame 10 of 70, 1.00 frames/s, 1 min 00 s left")
    assert "paint 75%" in lines[0] and "motion 25%" in lines[0]


def test_a_long_log_stays_short() -> None:
    """A day's run does not fill the log, and never falls silent for long."""
    lines = lines_of_a_run(6 * 3600, total=None)
    assert 6 * 3600 / 300 < len(lines) < 120
    assert "left" not in lines[-1]


def test_a_continued_run_counts_its_own_frames() -> None:
    """The rate is what this run does, not what an earlier one did."""
    lines = lines_of_a_run(11, total=1000, done=500)
    assert lines[0].startswith("frame 510 of 1000, 1.00 frames/s")


def test_a_short_run_logs_no_progress() -> None:
    assert lines_of_a_run(5, total=5) == []


def test_a_bar_that_is_not_torn_by_notes() -> None:
    stream = io.StringIO()
    progress = Progress("bar", stream)
    progress.update(0, 10, {})
    progress.note("rotated by 90 degrees")
    progress.update(10, 10, {"paint": 1.0})
    progress.close()
    assert "note: rotated by 90 degrees\n" in stream.getvalue()
    assert "10/10" in stream.getvalue()


def test_silence_but_for_warnings() -> None:
    stream = io.StringIO()
    progress = Progress("none", stream)
    progress.note("a note")
    progress.say("a line")
    progress.update(3, 10, {})
    progress.warn("a frame was lost")
    progress.close()
    assert stream.getvalue() == "warning: a frame was lost\n"


def test_a_pipe_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    stream = io.StringIO()
    progress = Progress("auto", stream, Clock())
    progress.update(0, 10, {})
    progress.update(5, 10, {})
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("dealt", "said"), [(0, False), (1, True), (2, False)])
def test_idle_ranks_are_told_of(dealt: int, said: bool) -> None:
    """Where nothing was left to paint, nobody has to know that nobody painted."""
    assert bool(idle_note(2, dealt, "segments")) is said
