"""``dcl-comms recover``."""

from __future__ import annotations

from pathlib import Path

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.helping import below
from dcl_comms_station.terminal import complain, put

__all__ = ["recover"]


@click.command(
    epilog=below("dcl-comms recover evening.mcap.part", "dcl-comms recover cut.mcap --to whole.mcap"),
    short_help="Make a recording whole that was cut.",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the whole copy goes: without it the name without .part, or NAME-recovered.mcap.",
)
def recover(*, file: Path, to: Path | None) -> None:
    """Write a copy of the recording FILE, with all that can be read of it, and with an index.

    FILE stays as it is.  Prints where the copy is.
    """
    from dcl_comms_station.recording.recover import recover as make_whole  # noqa: PLC0415 - an extra of its own

    target, notice = make_whole(file, to)
    if notice:
        complain(notice)
    put(str(target))
