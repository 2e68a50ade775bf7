"""A tiny process that starts one other process and outlives neither it nor its own parent.

Run by path, in isolated mode and with the standard library alone: ``python -I -S supervisor.py PROGRAM OWNER``.  The
program gets this process's environment and a process group of its own.  Standard input is a pipe whose other end the
owner holds: the letters ``T`` and ``K`` on it are SIGTERM and SIGKILL for the program, and its end means that the owner
is gone.  A fork of the owner could keep that pipe open by accident, so it is also looked whether the process ``OWNER``
still is the parent.  Standard output says ``pid N`` at the start.

The supervisor, not the owner, is the program's parent: from the first moment there is somebody who ends it, and until
it is reaped its process id can't become somebody else's.  Asked to end itself (SIGTERM, SIGINT, SIGHUP) it ends the
program first; where it is killed, the kernel kills the program (Linux).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PARENT_CHECK_SECONDS = 0.5
_GRACE_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def supervise(program: str, owner: int, commands: int) -> int:
    """Run ``program`` until it ends, the owner does or we are told to; return its exit status."""
    signals = _watch_signals()
    dies_with_us = _dies_with(os.getpid())
    with subprocess.Popen(  # noqa: S603  # that is the task
        [program],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        process_group=0,
        preexec_fn=dies_with_us,  # noqa: PLW1509  # there is one thread here, and nothing is imported in it
    ) as child:
        try:
            sys.stdout.write(f"pid {child.pid}\n")
            sys.stdout.flush()
            _wait(child, owner, commands, signals)
        except BrokenPipeError:
            pass  # the owner is gone
        finally:
            # While it is not reaped, the number is its group's: a program that a script started ends, too.
            os.killpg(child.pid, signal.SIGKILL)
    return child.returncode


def _wait(child: subprocess.Popen[bytes], owner: int, commands: int, signals: int) -> None:
    """Return when the program has ended, or has to be killed."""
    last = float("inf")
    while not _has_ended(child) and os.getppid() == owner and time.monotonic() < last:
        patience = min(_PARENT_CHECK_SECONDS, last - time.monotonic())
        ready, _, _ = select.select([commands, signals], [], [], max(patience, 0.0))
        if signals in ready and any(number in _ENDINGS for number in os.read(signals, 64)):
            child.terminate()
            last = min(last, time.monotonic() + _GRACE_SECONDS)
        if commands in ready:
            letters = os.read(commands, 64)
            if not letters or b"K" in letters:
                return
            child.terminate()


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _watch_signals() -> int:
    """A descriptor that gives the number of each signal that came; the program's end is one."""
    ours, theirs = os.pipe()
    for end in (ours, theirs):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    for number in (*_ENDINGS, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    return ours


def _dies_with(parent: int) -> Callable[[], None] | None:
    """What the child does before it becomes the program; None: this system has no such thing."""
    try:
        import ctypes  # noqa: PLC0415  # not every Python has it

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    what, number = ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL)

    def tie() -> None:
        prctl(what, number)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)  # it died before this could be asked for

    return tie


if __name__ == "__main__":
    sys.exit(abs(supervise(sys.argv[1], int(sys.argv[2]), 0)))
