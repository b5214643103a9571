"""What the file system has of a folder when the node that wrote there has died.

Of each file what had reached the disk (`system_calls.Durable`) is there, and any of the pages that
were written since; of each folder the names of then, or of now.
"""

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = 4096
# The names of everything that a run writes hold this.
_OURS = "out."


@dataclass(frozen=True)
class DeadNode:
    """The end of a node.

    folder: where its runs have written. durable: what has reached the disk. dice: which of the
    pages since then are there.
    """

    folder: Path
    durable: Path
    dice: random.Random

    def durable_file(self, name: str) -> Path | None:
        """What has reached the disk for sure of a file of the folder; None if it has no name
        there."""
        inode = self._names(self.folder).get(name)
        path = self.durable / str(inode)
        return path if inode is not None and path.exists() else None

    def lose_pages(self) -> None:
        """Makes the folder what the node has left of it. Nothing may be running there."""
        left = self.folder.with_name(f"{self.folder.name}.left")
        left.mkdir()
        now = {path.name: path for path in self.folder.iterdir()}
        for name, path in now.items():
            if _OURS not in name:
                path.rename(left / name)
        self._leave(self.folder, left)
        shutil.rmtree(self.folder)
        left.rename(self.folder)
        if self.durable.exists():  # else it died before anything was written
            shutil.rmtree(self.durable)
        self.durable.mkdir()
        self._settle(self.folder)

    def _settle(self, folder: Path) -> None:
        """Whatever is there now has reached the disk."""
        entries = list(os.scandir(folder))
        names = "".join(f"{entry.inode()} {entry.name}\n" for entry in entries)
        (self.durable / str(os.stat(folder).st_ino)).write_text(names)
        for entry in entries:
            if entry.is_dir():
                self._settle(Path(entry.path))
            elif _OURS in entry.name or folder != self.folder:
                os.link(entry.path, self.durable / f"{entry.inode()}.link")
                shutil.copyfile(entry.path, self.durable / str(entry.inode()))

    def _leave(self, folder: Path, left: Path) -> None:
        """Puts into `left` what is there of a folder."""
        now = {path.name: path.stat().st_ino for path in folder.iterdir()}
        names = dict(self.dice.choice((now, self._names(folder) or now)))
        for name, inode in names.items():
            if _OURS not in name and folder == self.folder:
                continue
            path, link = folder / name, self.durable / f"{inode}.link"
            if now.get(name) != inode:
                path = link  # it has another name by now, or none
            if path.is_dir():
                (left / name).mkdir()
                self._leave(path, left / name)
            elif path.exists():
                content = self._mixed(inode, path.read_bytes())
                (left / name).write_bytes(content)

    def _mixed(self, inode: int, now: bytes) -> bytes:
        """A file with some of the pages that were written since they last reached the disk."""
        kept = self.durable / str(inode)
        before = kept.read_bytes() if kept.exists() else b""
        share = self.dice.choice((0.0, 0.5, 0.98))
        # A length is noted by itself.
        length = len(before) if self.dice.random() < 0.3 else len(now)
        content = bytearray(before[:length].ljust(length, b"\0"))
        for start in range(0, length, PAGE_BYTES):
            page = slice(start, min(start + PAGE_BYTES, length))
            if self.dice.random() < share and page.stop <= len(now):
                content[page] = now[page]
        return bytes(content)

    def _names(self, folder: Path) -> dict[str, int]:
        """The names in a folder that have reached the disk, with the inodes."""
        kept = self.durable / str(os.stat(folder).st_ino)
        if not kept.exists():
            return {}
        lines = [line.split(" ", 1) for line in kept.read_text().splitlines()]
        return {name: int(inode) for inode, name in lines}
