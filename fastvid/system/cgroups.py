"""The limits that a batch system or a container sets for this process, by its control groups.

Version 2 has one tree of groups, version 1 one for each controller; a limit of any group above the
process counts as well (Linux: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A group without a limit shows "max" (v2), -1 or a number near 2^63 (v1).
NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class ControlGroups:
    """The control groups of this process. tree: where they are mounted. own: which they are."""

    tree: Path = Path("/sys/fs/cgroup")
    own: Path = Path("/proc/self/cgroup")

    def memory_left_bytes(self) -> int:
        """What this process may still take of its groups' memory, NO_LIMIT without a limit.

        What they hold of files that nobody needs at the moment goes when memory is wanted.
        """
        left = NO_LIMIT
        for folder in self._folders("memory"):
            limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
            cache = "inactive_file"
            if limit is None:
                limit = _number(folder / "memory.limit_in_bytes")
                used = _number(folder / "memory.usage_in_bytes")
                cache = "total_inactive_file"
            if limit is not None and used is not None and limit < NO_LIMIT:
                needed = max(0, used - _statistic(folder / "memory.stat", cache))
                left = min(left, max(0, limit - needed))
        return left

    def cores_allowed(self) -> float:
        """How many cores' time the groups of this process may use, NO_LIMIT without a limit."""
        cores = float(NO_LIMIT)
        for folder in self._folders("cpu"):
            try:
                quota, period = (folder / "cpu.max").read_text().split()
            except (OSError, ValueError):
                quota = str(_number(folder / "cpu.cfs_quota_us"))
                period = str(_number(folder / "cpu.cfs_period_us"))
            if quota.isdecimal() and period.isdecimal() and int(period):
                cores = min(cores, int(quota) / int(period))
        return cores

    def _folders(self, controller: str) -> Iterator[Path]:
        """The groups of this process that a controller may limit, each with all above it."""
        roots = [(self.tree, "/")]  # seen from within a container, its own group is the root
        try:
            lines = self.own.read_text().splitlines()
        except OSError:
            lines = []
        for line in lines:
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if not controllers:
                roots += [(self.tree, path), (self.tree / "unified", path)]
            elif controller in controllers.split(","):
                roots += [(self.tree / controllers, path), (self.tree / controller, path)]
        seen = set()
        for root, path in roots:
            parts = [part for part in path.split("/") if part]
            if ".." in parts:
                parts = []  # outside of what this process is shown
            for count in range(len(parts), -1, -1):
                folder = root.joinpath(*parts[:count])
                if folder not in seen:
                    seen.add(folder)
                    yield folder
        # Version 1 without a line of its own in a container.
        yield self.tree / controller


def _number(path: Path) -> int | None:
    """The number in a file; None if there is none, NO_LIMIT for "max"."""
    try:
        text = path.read_text().strip()
        return NO_LIMIT if text == "max" else int(text)
    except (OSError, ValueError):
        return None


def _statistic(path: Path, name: str) -> int:
    try:
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    except (OSError, ValueError):
        pass  # it is not told
    return 0
