"""``decode``: packets in hex to JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import DecodeError
from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.forms import dump, plain_packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["decode_hex", "decode_lines"]

_BETWEEN: Final = re.compile(r"0[xX]|[\s:,]+", re.ASCII)


def decode_hex(text: str) -> str:
    """One line of JSON for a packet's bytes in hex; blanks, colons and commas between digits do not count.

    Failed(USAGE): it is not hex.  DecodeError: it is no packet.
    """
    try:
        data = bytes.fromhex(_BETWEEN.sub("", text))
    except ValueError:
        raise Failed(Exit.USAGE, "not hex: an even number of the digits 0-9 and a-f") from None
    return dump(plain_packet(data))


def decode_lines(lines: Iterable[str], write: Callable[[str], object], complain: Callable[[str], object]) -> Exit:
    """A line of JSON for each line of hex; empty lines are skipped, bad ones are complained about and passed over."""
    worst = Exit.OK
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            write(decode_hex(text))
        except DecodeError as error:
            complain(f"line {number}: {error}")
            worst = Exit.PROTOCOL
        except Failed as error:
            complain(f"line {number}: {error}")
            worst = max(worst, error.exit_code)
    return worst
