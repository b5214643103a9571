"""What each thread of this process has used of a core, by its name."""

import os
import threading
from pathlib import Path

_INTERVAL_S = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
# Threads that Python has not started, such as those of an encoder.
OTHERS = "library threads"


class ThreadTimes:
    """Looks at the threads of this process 20 times a second; a context manager.

    seconds: processor time by thread name, what was used before entering left out. A thread that
    ends loses what it used since the last look.
    """

    def __init__(self) -> None:
        self._before = _used()
        self._latest: dict[int, tuple[str, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="benchmark-watch", daemon=True)

    @property
    def seconds(self) -> dict[str, float]:
        """Processor seconds by name of the thread."""
        sums: dict[str, float] = {}
        for number, (name, used) in self._latest.items():
            spent = used - self._before.get(number, ("", 0.0))[1]
            sums[name] = sums.get(name, 0.0) + spent
        return sums

    def __enter__(self) -> "ThreadTimes":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            last = self._stop.wait(_INTERVAL_S)
            for number, (name, used) in _used().items():
                known = self._latest.get(number, (name, 0.0))[0]
                self._latest[number] = (known if name == OTHERS else name, used)
            if last:
                return


def _used() -> dict[int, tuple[str, float]]:
    """Thread number to its name and the processor seconds that it has used."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found = {}
    for folder in Path("/proc/self/task").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        number = int(folder.name)
        # Behind the name: state, then utime and stime as the 12th and 13th field (man 5 proc).
        used = (int(fields[11]) + int(fields[12])) / _TICKS
        found[number] = (names.get(number, OTHERS), used)
    return found
