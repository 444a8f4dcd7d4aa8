"""What we need to know about processes: tie them to their parent, recognise them later, end them in order."""
# ruff: noqa: S603, S607  (every command line here is our own; `ps` has no one address)

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

PR_SET_PDEATHSIG = 1


def _load_prctl() -> Callable[[int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
    libc.prctl.restype = ctypes.c_int
    return cast(Callable[[int, int], int], libc.prctl)


# Loaded here and not after a fork, where only what is already in memory is safe to call.
_prctl = _load_prctl()


def leash(signal_number: int) -> Callable[[], None]:
    """Return a `preexec_fn` that lets the kernel send the signal when the parent dies (Linux; elsewhere it does nothing)."""
    parent = os.getpid()

    def tie() -> None:
        if _prctl is None:
            return
        _prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # the parent died before the tie held
            os.kill(os.getpid(), signal.SIGKILL)

    return tie


@dataclass(frozen=True)
class Identity:
    """A process that can be recognised after its number was given to another."""

    pid: int
    started: str
    command: str

    def is_alive(self) -> bool:
        return identify(self.pid) == self


def identify(pid: int) -> Identity | None:
    """Return who runs under the number, or None when nobody (or only a corpse) does."""
    proc = Path("/proc") / str(pid)
    if not proc.parent.joinpath("self").exists():
        return _identify_by_ps(pid)
    try:
        # The name in parentheses may hold spaces, so count from the last one: state is field 3, start time field 22.
        fields = (proc / "stat").read_text().rpartition(")")[2].split()
        command = (proc / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else Identity(pid, fields[19], command)


def _identify_by_ps(pid: int) -> Identity | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    parts = answer.stdout.split(None, 6)
    if len(parts) < 7 or parts[0].startswith("Z"):
        return None
    return Identity(pid, " ".join(parts[1:6]), parts[6].strip())


def signal_group(pid: int, signal_number: int) -> None:
    """Signal the process group that the process leads, or the process alone when it leads none."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal_number)
        else:
            os.kill(pid, signal_number)
    except ProcessLookupError:
        return


def wait_until(condition: Callable[[], bool], seconds: float, *, step: float = 0.02) -> bool:
    """Return whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(step)
    return True


def end(identity: Identity, signals: Sequence[tuple[int, float]]) -> bool:
    """Send each signal in turn, waiting its seconds, until the process is gone; return whether it is."""
    for signal_number, seconds in signals:
        if not identity.is_alive():
            return True
        signal_group(identity.pid, signal_number)
        if wait_until(lambda: not identity.is_alive(), seconds):
            return True
    return not identity.is_alive()
