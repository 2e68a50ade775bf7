"""``dcl-comms react``."""

from __future__ import annotations

from typing import Final

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.conventions import EMOJIS
from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.lines import reached
from dcl_comms_station.options import Visit, visiting
from dcl_comms_station.rooms import do
from dcl_comms_station.terminal import complain

__all__ = ["react"]

_INDEX: Final = click.IntRange(0, EMOJIS - 1)


@click.command(
    epilog=below(
        "dcl-comms react http://127.0.0.1:8000 3",
        "dcl-comms react http://127.0.0.1:8000 3 --count 10 --at 8,0,8",
        about=TARGET,
    ),
    short_help="React with an emoji and leave.",
)
@click.argument("words", nargs=-1, required=True, metavar="[TARGET] EMOJI_INDEX", shell_complete=complete_target)
@click.option(
    "--count",
    type=click.IntRange(1, DEFAULT_LIMITS.reaction_count),
    default=1,
    show_default=True,
    help="So many of it at once.",
)
@visiting()
def react(
    *,
    visit: Visit,
    words: tuple[str, ...],
    count: int,
) -> None:
    """React with the emoji of this number, from 0, in a room or to those around us in a realm, and leave."""
    *targets, number = words
    if len(targets) > 1:
        raise click.UsageError("one TARGET and one EMOJI_INDEX")
    # The number alone may be forgotten: what stands there is a target then, and perhaps one with a token.
    if not number.isdecimal():
        raise click.UsageError(f"with which emoji? give its number, from 0 to {EMOJIS - 1}, behind TARGET")
    index: int = _INDEX(number, None, click.get_current_context())
    there = visit.run(
        targets[0] if targets else None,
        lambda on, where, me: do(
            on, where, lambda room, whom: room.react(index, count=count, to=whom), patience=visit.patience, visitor=me
        ),
    )
    complain(reached(there))
