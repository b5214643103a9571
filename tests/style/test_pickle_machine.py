"""Pickles made to keep the machine busy are refused at once."""

import io
import pickle
import struct
import time

import pytest

from fastvid.style.pickle_machine import DamagedError, unpickle

# Python's hash of a whole number is its remainder by this prime.
HASH_PRIME = 2**61 - 1


@pytest.mark.parametrize(
    "keys",
    [
        [HASH_PRIME * k for k in range(20000)],
        [-k for k in range(1, 20000)],
        [k << 40 for k in range(20000)],
    ],
)
def test_whole_numbers_that_collide_are_no_keys(keys: list[int]) -> None:
    """20,000 of them took five seconds, 4 MB of them twenty minutes."""
    data = b"\x80\x02}(" + b"".join(pickle.dumps(key, 2)[2:-1] + b"N" for key in keys) + b"u."
    began = time.process_time()
    with pytest.raises(DamagedError):
        unpickle(io.BytesIO(data))
    assert time.process_time() - began < 2


def test_a_memo_with_holes_is_refused() -> None:
    data = b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", k << 17) for k in range(1 << 14)) + b"."
    with pytest.raises(DamagedError):
        unpickle(io.BytesIO(data))


def test_numbers_that_count_are_keys() -> None:
    """As in the state of an optimiser."""
    content = {"state": {0: None, 1: True, 4000: [1, 2]}}
    assert unpickle(io.BytesIO(pickle.dumps(content, 2))) == content
