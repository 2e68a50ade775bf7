"""The console script.  Imports without the extra ``cli``, to say what to install."""

from __future__ import annotations

import io
import sys

__all__ = ["main"]


def main() -> int:
    """Run ``dcl-comms`` with this process's arguments; returns its exit code."""
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
    return cli.run()
