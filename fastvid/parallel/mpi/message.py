"""What the ranks tell each other."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """What a message is; it is also the MPI tag of the message."""

    SETUP = 1  # rank 0 -> all: a job begins (settings, style)
    QUIT = 2  # rank 0 -> all: leave, with this exit status
    END = 3  # rank 0 -> all: this job is over
    REQUEST = 4  # rank -> 0: I can take a segment
    SEGMENT = 5  # 0 -> rank: frames to work on
    SUCCESSOR = 6  # 0 -> rank: who needs the last frame of your segment
    BOUNDARY = 7  # rank -> rank: the last finished frame of the segment before yours
    FINISHED = 8  # rank -> 0: a segment is ready to be fetched
    FETCH = 9  # 0 -> rank: send it
    RESULT = 10  # rank -> 0: finished frames and how long they took
    FAILURE = 11  # rank -> 0: what went wrong, as text
    HEARTBEAT = 12  # rank -> 0, 0 -> rank: alive, and what it is doing
    STOP = 13  # rank -> 0: this rank was asked to stop, and by what
    TRAIN = 14  # rank 0 -> all: a training begins, and where its ranks meet
    COMING = 15  # rank -> rank: your boundary frame will be here soon
    FAREWELL = 16  # rank -> 0: told to leave, and leaving
    LOOK = 17  # rank 0 -> all: what do you see of this input?
    SEEN = 18  # rank -> 0: its fingerprint, or why it can't be read
    FILM = 19  # rank 0 -> all: read your frames yourself, by this index
    READ = 20  # 0 -> rank: the numbers of frames to read and work on
    ENCODE = 21  # 0 -> rank: encode a part of the video, this way
    WANT = 22  # rank -> 0: send these frames of the part
    PICTURES = 23  # 0 -> rank: finished frames to encode, and their times
    ENCODED = 24  # rank -> 0: bytes of the part, whether these are the last, or what went wrong


@dataclass(frozen=True)
class Message:
    """A message that has arrived: its kind, the rank it came from, the job that it belongs to (a
    process may run several, one after the other), header integers and arrays."""

    kind: Kind
    source: int
    job: int
    header: tuple[int, ...]
    arrays: tuple[np.ndarray, ...] = ()

    def text(self, position: int = 0) -> str:
        """The array at `position`, read as UTF-8."""
        return self.arrays[position].tobytes().decode("utf-8", errors="replace")
