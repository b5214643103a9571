"""Several hosts on this machine: namespaces behind a switch, each with a name of its own.

What runs on a host but the first sees an empty folder in the place of the work folder: there is no
shared file system. Nothing of this has a name outside: the kernel removes a host, its processes and
its wires with the one process that holds it, which dies with the test, however that ends.
"""

import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

_NET = "10.77.0"
_SWITCH_ADDRESS = f"{_NET}.254"
_PROGRAMS = ("ip", "unshare", "nsenter", "setpriv", "mount", "hostname")
_KINDS = ("net", "uts", "mnt", "pid")
# What a host sends beyond its rate waits in a queue, at most 50 ms (man 8 tc-tbf).
_SHAPE = "tc qdisc add dev eth0 root tbf rate {rate}mbit burst 256kb latency 50ms"
_TIMEOUT_S = 30.0
_POLL_S = 0.05

# What the holder of a host does; it is the first process there.
_HOLDER = """
hostname {name} && mount --bind {hosts} /etc/hosts && ip link set lo up &&
    { {own_work} || mount -t tmpfs -o size=1m none {work}; } && touch {ready} && exec sleep infinity
"""
# Takes the place of ssh: SCRIPT [options] ADDRESS COMMAND...
_LAUNCHER = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
case $1 in
{cases}
esac
shift
exec "${{enter[@]}}" bash -c 'cd {work} && eval "$*"' - "$@"
"""


class HostsUnavailable(Exception):
    """Such hosts can't be made here; the message says why."""


class NetworkHosts:
    """`count` hosts; a context manager. Raises HostsUnavailable.

    rate_mbit: what each host sends at most, in Mbit/s; None for what the machine carries. work:
    what the first host and the caller see. launch_on_switch: words before a command that starts it
    where all hosts can be reached.
    """

    def __init__(self, folder: Path, count: int, rate_mbit: int | None = None) -> None:
        if os.geteuid() != 0:
            raise HostsUnavailable("only root may make network namespaces")
        for program in (*_PROGRAMS, *([] if rate_mbit is None else ["tc"])):
            if shutil.which(program) is None:
                raise HostsUnavailable(
                    f"{program} is not installed; on Debian: apt-get install "
                    "iproute2 util-linux mount hostname"
                )
        self.work = folder / "work"
        self.work.mkdir()
        self._folder = folder
        self._rate_mbit = rate_mbit
        self.count = count
        self._addresses = [f"{_NET}.{number}" for number in range(1, count + 1)]
        self._holders: list[subprocess.Popen[str]] = []
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of the hosts, in order."""
        return tuple(self._addresses)

    def _make(self) -> None:
        names = [f"{address} host{number}" for number, address in enumerate(self._addresses, 1)]
        (self._folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names]) + "\n")
        switch = self._hold("switch")
        self.launch_on_switch = _enter(switch, "net")
        self._ip("link add switch type bridge")
        self._ip(f"addr add {_SWITCH_ADDRESS}/24 dev switch")
        self._ip("link set switch up")
        cases = []
        for number, address in enumerate(self._addresses, 1):
            holder = self._hold(f"host{number}")
            self._ip(f"link add host{number} type veth peer name eth0 netns {holder.pid}")
            self._ip(f"link set host{number} master switch up")
            on_host = _enter(holder, "net")
            _run(*on_host, *f"ip addr add {address}/24 dev eth0".split())
            _run(*on_host, *["ip", "link", "set", "eth0", "up"])
            if self._rate_mbit is not None:
                _run(*on_host, *_SHAPE.format(rate=self._rate_mbit).split())
            cases.append(f"    {address}) enter=({shlex.join(_enter(holder, *_KINDS))}) ;;")
        launcher = self._folder / "launcher"
        launcher.write_text(
            _LAUNCHER.format(cases="\n".join(cases), work=shlex.quote(str(self.work)))
        )
        launcher.chmod(0o755)

    def _hold(self, name: str) -> subprocess.Popen[str]:
        """Starts the process that holds a host (or the switch)."""
        ready = self._folder / f"{name}.ready"
        script = _HOLDER
        for key, value in {
            "name": name,
            "hosts": shlex.quote(str(self._folder / "hosts")),
            "own_work": "true" if name in ("switch", "host1") else "false",
            "work": shlex.quote(str(self.work)),
            "ready": shlex.quote(str(ready)),
        }.items():
            script = script.replace(f"{{{key}}}", value)
        holder = subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig",
                "KILL",
                "unshare",
                "--net",
                "--uts",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "bash",
                "-c",
                script,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._holders.append(holder)
        deadline = time.monotonic() + _TIMEOUT_S
        while not ready.exists():
            if holder.poll() is not None or time.monotonic() > deadline:
                holder.kill()
                assert holder.stderr is not None
                raise HostsUnavailable(f"a host can't be made here: {holder.stderr.read().strip()}")
            time.sleep(_POLL_S)
        return holder

    def _ip(self, words: str) -> str:
        return _run(*self.launch_on_switch, "ip", *words.split())

    @property
    def environment(self) -> dict[str, str]:
        """What tells mpich's mpirun to start its helpers on these hosts, and the ranks to use the
        network (they would find each other in the shared memory of this machine)."""
        return {
            "HYDRA_LAUNCHER": "ssh",
            "HYDRA_LAUNCHER_EXEC": str(self._folder / "launcher"),
            "UCX_TLS": "tcp,self",
        }

    def launcher_options(self, ranks_each: int = 1) -> list[str]:
        """The options of mpirun that name the hosts."""
        return [
            "-localhost",
            _SWITCH_ADDRESS,
            "-hosts",
            ",".join(f"{address}:{ranks_each}" for address in self._addresses),
        ]

    def lose(self, number: int) -> None:
        """A host, counted from 1, is gone from one moment to the next, with its network first."""
        self._ip(f"link set host{number} down")
        holder = self._holders[number]
        holder.kill()
        holder.wait(_TIMEOUT_S)

    def bytes_sent(self) -> list[int]:
        """What has left each host over the network so far, headers included."""
        links = {link["ifname"]: link for link in json.loads(self._ip("-s -j link show"))}
        return [
            links[f"host{number}"]["stats64"]["rx"]["bytes"]
            for number in range(1, len(self._addresses) + 1)
        ]

    def close(self) -> None:
        """Ends what still runs on the hosts and removes them."""
        for holder in self._holders:
            holder.kill()
            holder.communicate()

    def __enter__(self) -> "NetworkHosts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _enter(holder: subprocess.Popen[str], *kinds: str) -> list[str]:
    """The words that start a command in these namespaces of a host."""
    # The holder's first process is the child of the one that is known here.
    names = {kind: "pid_for_children" if kind == "pid" else kind for kind in kinds}
    options = {"mnt": "mount"}
    return [
        "nsenter",
        *(
            f"--{options.get(kind, kind)}=/proc/{holder.pid}/ns/{name}"
            for kind, name in names.items()
        ),
    ]


def _run(*command: str) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    if finished.returncode:
        raise HostsUnavailable(f"{' '.join(command)}: {finished.stderr.strip()}")
    return finished.stdout
