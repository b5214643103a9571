"""How far a job is, is shown beside the main thread."""

import threading
import time

import pytest

from fastvid.job import showing
from fastvid.job.showing import Showing

PATIENCE_S = 60.0


def test_it_is_shown_again_and_again_and_at_the_end() -> None:
    shown: list[str] = []
    often = threading.Event()

    def show() -> None:
        shown.append("shown")
        if len(shown) == 5:
            often.set()

    with Showing(show, lambda: shown.append("closed"), interval_s=0.001) as one:
        assert often.wait(PATIENCE_S)
        one.check()
        before = len(shown)
    assert len(shown) >= before + 2 and shown[-2:] == ["shown", "closed"]


def test_a_terminal_that_takes_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "_END_PATIENCE_S", 0.05)
    stuck, going_on = threading.Event(), threading.Event()

    def show() -> None:
        stuck.set()
        going_on.wait(PATIENCE_S)

    with Showing(show, lambda: None, interval_s=0.001) as one:
        assert stuck.wait(PATIENCE_S)
        one.check()
    assert not going_on.is_set()
    going_on.set()


def test_what_goes_wrong_is_told_in_the_main_thread() -> None:
    def show() -> None:
        raise OSError("nobody reads it")

    with Showing(show, lambda: None, interval_s=0.001) as one:
        deadline = time.monotonic() + PATIENCE_S
        with pytest.raises(OSError, match="nobody reads it"):
            while time.monotonic() < deadline:
                one.check()
