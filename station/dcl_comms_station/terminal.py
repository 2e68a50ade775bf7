"""The one mouth of the commands: whatever they say goes through ``clean``, line by line."""

from __future__ import annotations

import sys

from dcl_comms_core.printable import clean

__all__ = ["complain", "draw", "put"]


def put(*lines: str) -> None:
    """Data, to stdout: each of these as one line."""
    print("\n".join(map(clean, lines)), flush=True)


def complain(text: str) -> None:
    """Everything else, to stderr: one line, which says whose it is."""
    print(f"dcl-comms: {clean(text)}", file=sys.stderr, flush=True)


def draw(text: str) -> None:
    """To stdout as it is: for ``showing``, which makes texts safe before it puts its own escapes around them."""
    sys.stdout.write(text)
    sys.stdout.flush()
