"""``dcl-comms replay``."""

from __future__ import annotations

from typing import TextIO

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_core.journal.record import Journal
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_station.exits import Exit
from dcl_comms_station.helping import below
from dcl_comms_station.terminal import put

__all__ = ["replay"]


@click.command(
    epilog=below("dcl-comms replay bot.journal", "gunzip -c bot.journal.gz | dcl-comms replay -"),
    short_help="Run a journal again, and say where it goes otherwise.",
)
@click.argument("file", type=click.File(encoding="ascii", errors="replace"))
def replay(*, file: TextIO) -> int:
    """Run the journal in FILE (-: standard input) again, and print the first step that gives something else.

    A journal is what connect(..., journal=FILE) wrote.  The exit code is 1 where it goes otherwise.
    """
    result = Journal.read(file.read(DEFAULT_LIMITS.journal_bytes + 1)).replay()
    put(*str(result).split("\n"))
    return Exit.OK if result.identical else Exit.FAILED
