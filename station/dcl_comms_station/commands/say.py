"""``dcl-comms say``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.lines import reached
from dcl_comms_station.options import SECONDS, Visit, visiting
from dcl_comms_station.rooms import say as say_in_room
from dcl_comms_station.targets import check_text
from dcl_comms_station.terminal import complain

__all__ = ["say"]


@click.command(
    epilog=below(
        'dcl-comms say http://127.0.0.1:8000 "good morning"',
        "dcl-comms say http://127.0.0.1:8000 psst --to 0x7c60eac58dcedb297746ce1ead1a541f3ac2aaaa",
        'dcl-comms say - "good morning" < target.txt',
        about=TARGET,
    )
)
@click.argument("words", nargs=-1, required=True, metavar="[TARGET] TEXT", shell_complete=complete_target)
@click.option("--to", multiple=True, metavar="IDENTITY", help="Privately to this participant; may be given repeatedly.")
@click.option("--wait", type=SECONDS, default=10.0, show_default=True, help="Seconds to wait for those of --to.")
@visiting()
def say(
    *,
    visit: Visit,
    words: tuple[str, ...],
    to: tuple[str, ...],
    wait: float,
) -> None:
    """Write TEXT into a room, or to those around us in a realm, and leave."""
    *targets, text = words
    if len(targets) > 1:
        raise click.UsageError("one TARGET and one TEXT: quote a text that has blanks in it")
    check_text(text, alone=not targets)
    there = visit.run(
        targets[0] if targets else None,
        lambda on, where, me: say_in_room(on, where, text, to, wait=wait, patience=visit.patience, visitor=me),
    )
    complain(reached(there))
