"""Room on the disk is taken before it is needed, and the file keeps its size."""

import ctypes
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastvid.runfile.reserve import give_back, reserve, system_fallocate

SIZE = 1 << 20


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.write(number, b"content")
    yield number
    os.close(number)


def room(descriptor: int) -> int:
    return os.fstat(descriptor).st_blocks * 512


def check_content(descriptor: int) -> None:
    assert os.fstat(descriptor).st_size == 7 and os.pread(descriptor, 100, 0) == b"content"


def test_blocks_are_there_before_they_are_written(descriptor: int) -> None:
    before = room(descriptor)
    reserve(descriptor, SIZE)
    check_content(descriptor)
    assert room(descriptor) >= SIZE
    give_back(descriptor)
    check_content(descriptor)
    assert room(descriptor) <= before + 4096


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS, None])
def test_file_systems_without_such_a_call(
    descriptor: int, number: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> int:
        assert number is not None
        ctypes.set_errno(number)
        return -1

    def write(*_: object) -> int:
        raise AssertionError("the C library's emulation writes a byte into every block")

    monkeypatch.setattr(os, "posix_fallocate", write)
    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr(os, "truncate", write)
    fallocate = None if number is None else refuse
    reserve(descriptor, SIZE, fallocate)
    check_content(descriptor)
    with pytest.raises(OSError) as full:
        reserve(descriptor, 1 << 60, fallocate)
    assert full.value.errno == errno.ENOSPC
    check_content(descriptor)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (SIZE, SIZE))
    with pytest.raises(OSError) as large:
        reserve(descriptor, SIZE, fallocate)
    assert large.value.errno == errno.EFBIG


def test_a_signal_in_the_middle_is_no_error(descriptor: int) -> None:
    real = system_fallocate()
    calls: list[tuple[int, ...]] = []

    def interrupted(*arguments: int) -> int:
        calls.append(arguments)
        if len(calls) < 3:
            ctypes.set_errno(errno.EINTR)
            return -1
        assert real is not None
        return real(*arguments)

    reserve(descriptor, SIZE, interrupted)
    assert len(calls) == 3 and room(descriptor) >= SIZE


def test_more_than_there_is(descriptor: int) -> None:
    with pytest.raises(OSError) as error:
        reserve(descriptor, 1 << 60)
    assert error.value.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    check_content(descriptor)
