"""The console script.  Imports without the extra ``cli``, to say what to install."""

from __future__ import annotations

import io
import signal
import sys
from typing import Final

__all__ = ["main"]

_INTERRUPTED: Final = 130
"""``exits.Exit.INTERRUPTED``, before that can be imported."""


def _go(_signal: int, _frame: object) -> None:
    sys.exit(_INTERRUPTED)


def main() -> int:
    """Run ``dcl-comms`` with this process's arguments; returns its exit code."""
    # Nothing has begun yet: Ctrl-C while all of it is imported has nothing to leave, and nothing to say.
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, _go)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character gets it escaped: no chat line may end the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        from dcl_comms_station.cli import cli  # noqa: PLC0415 - click may be missing, which is what this is about
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print('dcl-comms: click is not installed: pip install "dcl-comms[cli]"', file=sys.stderr)
        return 2
    try:
        if is_usual:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return cli.run()
    except KeyboardInterrupt:
        return _INTERRUPTED
