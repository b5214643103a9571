"""What the machine offers: cores, memory and disk space, as this process may use them."""

import os
import platform
import shutil
from pathlib import Path

from fastvid.system.cgroups import NO_LIMIT, ControlGroups


def usable_cores(groups: ControlGroups = ControlGroups()) -> int:  # noqa: B008 (it is frozen)
    """Cores that this process may run on: its affinity mask, cut to the CPU quota of its groups."""
    return max(1, int(min(len(os.sched_getaffinity(0)), groups.cores_allowed())))


def available_memory_bytes(groups: ControlGroups = ControlGroups()) -> int:  # noqa: B008
    """Memory that this process could still take: of the host, and of its groups if they have
    less."""
    available = NO_LIMIT
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux: no limit is known
    return min(available, groups.memory_left_bytes())


def free_disk_bytes(path: Path) -> int:
    """Free bytes, for this user, of the file system that holds `path` or its nearest parent."""
    probe = path.absolute()
    while not probe.exists():
        probe = probe.parent
    return shutil.disk_usage(probe).free


def processor_name() -> str:
    """The kind of processor; results are the same bytes on the same kind only."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def human_bytes(count: float) -> str:
    """A size as people read it: 1.5 GB (powers of ten)."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def human_seconds(seconds: float) -> str:
    """A duration as people read it: 42 s, 3 min 05 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
