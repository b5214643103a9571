"""A log file that nobody waits for."""

import logging
import os
from pathlib import Path

import pytest

from fastvid.system import log_file
from fastvid.system.log_file import LogFile


def record(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("fastvid", logging.INFO, __file__, 1, text, arguments, None)


def test_lines_come_in_order_behind_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "rank.log"
    path.write_text("earlier\n")
    handler = LogFile(path)
    for number in range(500):
        handler.handle(record("grüße %d", number))
    handler.close()
    assert path.read_text("utf-8").splitlines() == [
        "earlier",
        *(f"grüße {number}" for number in range(500)),
    ]


def test_a_file_that_can_not_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogFile(tmp_path / "none" / "rank.log")


def test_nobody_waits_for_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that is full does as such a disk does. What is left out is counted."""
    path, count = tmp_path / "pipe", 2000
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    handler = LogFile(path, max_waiting=10)
    for _ in range(count):
        handler.handle(record("x" * 1023))
    with monkeypatch.context() as patch:
        patch.setattr(log_file, "_CLOSE_PATIENCE_S", 0.05)
        handler.close()
    os.set_blocking(reader, True)
    content = b""
    while piece := os.read(reader, 1 << 20):  # to the end, when the thread has closed it
        content += piece
    os.close(reader)
    lines = content.decode().splitlines()
    missing = [int(line.split()[0]) for line in lines if line.endswith("lines are missing here")]
    assert len(lines) < 1000
    assert len(lines) - len(missing) + sum(missing) == count


def test_a_full_disk_ends_the_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(Path("/dev/full"))
    handler.handle(record("one"))
    handler.close()
    handler.handle(record("two"))
    said = capsys.readouterr().err
    assert said.count("the log /dev/full can't be written any further") == 1
