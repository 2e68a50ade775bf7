"""A tiny process that starts one other process and outlives neither it nor its own parent.

Run by path, in isolated mode and with the standard library alone: ``python -I -S supervisor.py PROGRAM``.  The program
gets this process's environment.  Standard input is a pipe whose other end the owner holds: the letters ``T`` and ``K``
on it are SIGTERM and SIGKILL for the program, and its end means that the owner is gone.  A fork of the owner could keep
that pipe open by accident, so the parent's process id is watched too.  Standard output says ``pid N`` at the start.

The supervisor, not the owner, is the program's parent: from the first moment there is somebody who ends it, and until
it is reaped its process id can't become somebody else's.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys

_POLL_SECONDS = 0.1
_PARENT_CHECK_SECONDS = 0.5


def supervise(program: str, commands: int) -> int:
    """Run ``program`` until it ends or the owner does; return its exit status."""
    owner = os.getppid()
    with subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=sys.stderr) as child:  # noqa: S603  # that is the task
        try:
            sys.stdout.write(f"pid {child.pid}\n")
            sys.stdout.flush()
            patience = _PARENT_CHECK_SECONDS
            while child.poll() is None:
                ready, _, _ = select.select([commands], [], [], patience)
                if ready and not _obey(child, os.read(commands, 64)):
                    child.kill()
                elif ready:
                    patience = _POLL_SECONDS
                elif os.getppid() != owner:
                    child.kill()
        except BrokenPipeError:
            child.kill()
        return child.wait()


def _obey(child: subprocess.Popen[bytes], letters: bytes) -> bool:
    """Carry out the owner's commands; False when there will be no more."""
    if b"K" in letters:
        child.kill()
    elif b"T" in letters:
        child.terminate()
    return bool(letters)


if __name__ == "__main__":
    sys.exit(abs(supervise(sys.argv[1], 0)))
