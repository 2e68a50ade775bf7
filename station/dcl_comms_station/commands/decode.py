"""``dcl-comms decode``."""

from __future__ import annotations

import sys

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.decoding import decode_hex, decode_lines
from dcl_comms_station.exits import Exit
from dcl_comms_station.helping import below
from dcl_comms_station.terminal import complain, put

__all__ = ["decode"]


@click.command(
    epilog=below("dcl-comms decode 2a0d0a02686911000000000000f03f5864", "dcl-comms decode - < packets.hex"),
    short_help="Decode packets in hex to JSON.",
)
@click.argument("hex_", metavar="HEX|-")
def decode(*, hex_: str) -> int:
    """Decode a Packet's bytes, given in hex, or each line of standard input; print kind and fields as JSON."""
    if hex_ == "-":
        return decode_lines(sys.stdin, put, complain)
    put(decode_hex(hex_))
    return Exit.OK
