"""Several hosts on this machine: network namespaces behind a bridge, each with a name of its own.

What runs on a host but the first sees an empty folder in the place of the work folder: there is no
shared file system.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

_POLL_S = 0.05

# Takes the place of ssh: SCRIPT [options] HOST COMMAND...
_LAUNCHER = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
host=$1; shift
exec ip netns exec "{prefix}${{host##*.}}" unshare --uts --mount bash -c '
    host=$1; shift
    hostname "host${{host##*.}}"
    mount --bind {hosts} /etc/hosts
    [[ $host == {first} ]] || mount -t tmpfs -o size=1m none {work}
    cd {work} && eval "$*"' - "$host" "$@"
"""


class HostsUnavailable(Exception):
    """Network namespaces can't be made here; the message says why."""


class NetworkHosts:
    """`count` hosts; a context manager. Raises HostsUnavailable.

    work: what the first host and the caller see. addresses: one a host.
    """

    def __init__(self, folder: Path, count: int) -> None:
        if os.geteuid() != 0:
            raise HostsUnavailable("only root may make network namespaces")
        for program in ("ip", "unshare", "mount"):
            if shutil.which(program) is None:
                raise HostsUnavailable(f"{program} is not installed; on Debian: apt-get install "
                                       "iproute2 util-linux mount")
        self.work = folder / "work"
        self.work.mkdir()
        self._folder = folder
        # Names and addresses of its own, so that several tests may run beside each other.
        self._prefix = f"fv{os.getpid() % 0x10000:04x}h"
        self._bridge = f"fv{os.getpid() % 0x10000:04x}b"
        self._net = f"10.{128 + os.getpid() // 250 % 128}.{1 + os.getpid() % 250}"
        self.addresses = [f"{self._net}.{number}" for number in range(1, count + 1)]
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        try:
            _ip("link add", self._bridge, "type bridge")
            _ip("addr add", f"{self._net}.254/24", "dev", self._bridge)
            _ip("link set", self._bridge, "up")
            for number, address in enumerate(self.addresses, 1):
                name = f"{self._prefix}{number}"
                _ip("netns add", name)
                _ip("link add", name, "type veth peer name eth0 netns", name)
                _ip("link set", name, "master", self._bridge, "up")
                _ip("-n", name, "addr add", f"{address}/24 dev eth0")
                _ip("-n", name, "link set lo up")
                _ip("-n", name, "link set eth0 up")
        except subprocess.CalledProcessError as error:
            raise HostsUnavailable(f"network namespaces can't be made: {error.stderr.strip()}"
                                   ) from error
        names = [f"{address} host{number}" for number, address in enumerate(self.addresses, 1)]
        hosts = self._folder / "hosts"
        hosts.write_text("\n".join(["127.0.0.1 localhost", *names]) + "\n")
        launcher = self._folder / "launcher"
        launcher.write_text(_LAUNCHER.format(
            prefix=self._prefix, hosts=shlex.quote(str(hosts)), first=self.addresses[0],
            work=shlex.quote(str(self.work))))
        launcher.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """What tells mpich's mpirun to start its helpers on these hosts, and the ranks to use the
        network (they would find each other in the shared memory of this machine)."""
        return {"HYDRA_LAUNCHER": "ssh", "HYDRA_LAUNCHER_EXEC": str(self._folder / "launcher"),
                "UCX_TLS": "tcp,self"}

    def launcher_options(self, ranks_each: int = 1) -> list[str]:
        """The options of mpirun that name the hosts."""
        return ["-localhost", f"{self._net}.254", "-hosts",
                ",".join(f"{address}:{ranks_each}" for address in self.addresses)]

    def bytes_sent(self) -> list[int]:
        """What has left each host over the network so far, headers included."""
        return [int(Path(f"/sys/class/net/{self._prefix}{number}/statistics/rx_bytes").read_text())
                for number in range(1, len(self.addresses) + 1)]

    def close(self) -> None:
        """Ends what still runs on the hosts and removes them."""
        for number in range(1, len(self.addresses) + 1):
            name = f"{self._prefix}{number}"
            for process in _try_ip("netns pids", name).split():
                try:
                    os.kill(int(process), signal.SIGKILL)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + 5.0
            while _try_ip("netns pids", name) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            _try_ip("netns del", name)
            _try_ip("link del", name)
        _try_ip("link del", self._bridge)

    def __enter__(self) -> "NetworkHosts":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def _ip(*words: str) -> str:
    command = ["ip", *(part for word in words for part in word.split())]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _try_ip(*words: str) -> str:
    try:
        return _ip(*words)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return ""  # was not there any more
