"""What a message is: its kind, and a body that becomes whole numbers and arrays, and back.

The mailbox knows of a body no more than that. The bodies of a job are in
`fastvid.parallel.messages`; here are those with which the mailbox itself stops and leaves.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

import numpy as np


class Kind(IntEnum):
    """What a message is; it is also the MPI tag of the message. Each kind has a `Body`."""

    SETUP = 1
    QUIT = 2
    END = 3
    REQUEST = 4
    SEGMENT = 5
    SUCCESSOR = 6
    BOUNDARY = 7
    FINISHED = 8
    FETCH = 9
    RESULT = 10
    FAILURE = 11
    HEARTBEAT = 12
    STOP = 13
    TRAIN = 14
    COMING = 15
    FAREWELL = 16
    LOOK = 17
    SEEN = 18
    FILM = 19
    READ = 20
    ENCODE = 21
    WANT = 22
    PICTURES = 23
    ENCODED = 24
    FIND_CUTS = 25
    CUTS_FOUND = 26


@dataclass(frozen=True)
class Content:
    """A body as it travels: whole numbers, and arrays of uint8, int64, float32 or float64."""

    header: tuple[int, ...] = ()
    arrays: tuple[np.ndarray, ...] = ()

    def text(self, position: int = 0) -> str:
        """The array at `position`, read as UTF-8, other bytes as Python does in names of files."""
        return self.arrays[position].tobytes().decode("utf-8", errors="surrogateescape")


def text_array(text: str) -> np.ndarray:
    """A text as UTF-8, (N,) uint8; the inverse of `Content.text`."""
    return bytes_array(text.encode("utf-8", "surrogateescape"))


def bytes_array(data: bytes) -> np.ndarray:
    """Bytes as (N,) uint8, not copied."""
    return np.frombuffer(data, dtype=np.uint8)


class Body(ABC):
    """What a message says. A subclass names its kind in its class statement; there is one a kind.

    any_job: it counts whatever job it was sent in; others are dropped once that is over.
    turning_point: behind it the receiver does something else, so that what the same rank has sent
    after it waits for the next poll. A rank that was slow to start may find the whole of a short
    job in its mailbox.
    """

    kind: ClassVar[Kind]
    any_job: ClassVar[bool]
    turning_point: ClassVar[bool]

    def __init_subclass__(
        cls, *, kind: Kind | None = None, any_job: bool = False, turning_point: bool = False
    ) -> None:
        super().__init_subclass__()
        if kind is None:  # a base of others
            return
        if kind in BODIES:
            raise TypeError(f"{kind.name} is the kind of {BODIES[kind].__name__} already")
        cls.kind, cls.any_job, cls.turning_point = kind, any_job, turning_point
        BODIES[kind] = cls

    @abstractmethod
    def pack(self) -> Content:
        """As it travels; its arrays are those of the body where these are large."""

    @classmethod
    @abstractmethod
    def unpack(cls, content: Content) -> Self:
        """The inverse of `pack`."""


class Signal(Body):
    """A body that says no more than its kind does."""

    def pack(self) -> Content:
        return Content()

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls()


# Filled by the class statements of the bodies.
BODIES: dict[Kind, type[Body]] = {}


@dataclass(frozen=True)
class Message:
    """A message that has arrived: the rank it came from, the job that it was sent in (a process may
    run several, one after the other), and what it says."""

    source: int
    job: int
    body: Body


@dataclass(frozen=True)
class Quit(Body, kind=Kind.QUIT, any_job=True, turning_point=True):
    """Rank 0 -> all: leave, with this exit status. reason: for the user, if it is an error."""

    exit_status: int
    reason: str = ""

    def pack(self) -> Content:
        return Content((self.exit_status,), (text_array(self.reason),) if self.reason else ())

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(content.header[0], content.text() if content.arrays else "")


@dataclass(frozen=True)
class Farewell(Signal, kind=Kind.FAREWELL, any_job=True):
    """Rank -> 0: told to leave, and leaving."""


@dataclass(frozen=True)
class Stop(Body, kind=Kind.STOP, any_job=True):
    """Rank -> 0: this rank was asked to stop, and by what."""

    reason: str

    def pack(self) -> Content:
        return Content((), (text_array(self.reason),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(content.text())
