"""What can't be planned, in the words of the run that can't be done."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fastvid.commands.plan.plan import rank_counts
from fastvid.errors import InputError
from support.bad_inputs import CASES
from support.job_clips import Clip
from support.spoiling import Place


@pytest.mark.parametrize("text, counts", [("4", [4]), ("16,4, 64,4", [4, 16, 64])])
def test_numbers_of_ranks(text: str, counts: list[int]) -> None:
    assert rank_counts(text) == counts


@pytest.mark.parametrize("text", ["", "0", "4,", "a", "-1", "1.5", "5000", "٣"])
def test_what_is_no_number_of_ranks(text: str) -> None:
    with pytest.raises(InputError, match="--ranks"):
        rank_counts(text)


@pytest.fixture
def place(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> Place:
    return Place(tmp_path, uncut_clip.path, tiny_style)


def without_free_memory(message: str) -> str:
    """What is left of the machine's memory is another amount each time."""
    return re.sub(r"[\d.]+ GB left", "", message)


@pytest.mark.parametrize("case", CASES)
def test_a_plan_refuses_what_the_run_refuses(
    case: str, place: Place, run_main: Callable[..., tuple[int, str]]
) -> None:
    """In the same words, and it leaves nothing behind either."""
    CASES[case][0](place)
    before = place.contents()
    status, message = run_main(*place.command())
    planned_status, planned = run_main("plan", *place.command())
    assert planned_status == status == 2
    assert without_free_memory(planned).replace(
        "fastvid plan", "fastvid stylize"
    ) == without_free_memory(message)
    assert place.contents() == before


def test_a_plan_for_a_gpu_that_is_not_there(
    place: Place, run_main: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    command = [*place.command(), "--device", "cuda"]
    assert run_main("plan", *command) == run_main(*command)
    assert run_main("plan", *command)[0] == 2


def test_a_plan_for_a_run_that_can_not_be_continued(
    place: Place, run_main: Callable[..., tuple[int, str]]
) -> None:
    """It was begun with another flow. What is begun is not touched."""
    assert run_main(*place.command(), "--frames", ":4")[0] == 0
    before = place.contents()
    command = [*place.command(), "--frames", ":4", "--flow", "farneback"]
    assert run_main("plan", *command) == run_main(*command)
    status, message = run_main("plan", *command)
    assert status == 2 and "--flow was dis-medium, is farneback" in message
    assert run_main("plan", *place.command(), "--frames", ":4", "--ranks", 1)[0] == 0
    assert place.contents() == before


def test_a_bad_number_of_ranks_is_one_message(
    place: Place, run_main: Callable[..., tuple[int, str]]
) -> None:
    status, message = run_main("plan", *place.command(), "--ranks", "none")
    assert status == 2 and "--ranks" in message and "Traceback" not in message
