"""``dcl-comms emote``."""

from __future__ import annotations

from typing import Final

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click
    from click.shell_completion import CompletionItem

from dcl_comms_core.avatars.emotes import Emotes, emote_urn
from dcl_comms_core.room.outgoing.acceptable import check_urn
from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.lines import reached
from dcl_comms_station.options import Visit, visiting
from dcl_comms_station.rooms import do
from dcl_comms_station.terminal import complain, put

__all__ = ["emote"]

_URN: Final = "urn:"


def _name(one: Emotes) -> str:
    return one.value.rpartition(":")[2]


def _complete(context: click.Context, argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of targets and of emotes, for a shell."""
    names = [CompletionItem(_name(one)) for one in Emotes if _name(one).startswith(incomplete)]
    return [*complete_target(context, argument, incomplete), *names]


@click.command(
    epilog=below(
        "dcl-comms emote http://127.0.0.1:8000 wave",
        "dcl-comms emote http://127.0.0.1:8000 urn:decentraland:off-chain:base-emotes:dance --at 8,0,8",
        "dcl-comms emote http://127.0.0.1:8000 dance --wallet bot.key --stop",
        "dcl-comms emote --list",
        about=TARGET,
    ),
    short_help="Play an emote and leave.",
)
@click.argument("words", nargs=-1, metavar="[TARGET] NAME", shell_complete=_complete)
@click.option("--list", "as_list", is_flag=True, help="Print the base emotes, a name and its URN each, and do no more.")
@click.option("--stop", is_flag=True, help="Say that it is over, instead of playing it.")
@visiting()
def emote(
    *,
    visit: Visit,
    words: tuple[str, ...],
    as_list: bool,
    stop: bool,
) -> None:
    """Play the emote NAME, a base emote's name or a URN, in a room or for those around us in a realm, and leave."""
    if as_list:
        if words:
            raise click.UsageError("--list takes neither TARGET nor NAME")
        put(*(f"{_name(one):<13} {one.value}" for one in Emotes))
        return
    if not words:
        raise click.UsageError("which emote? give its name, as wave; --list prints them")
    *targets, name = words
    if len(targets) > 1:
        raise click.UsageError("one TARGET and one NAME")
    if ":" in name and not name.startswith(_URN):
        raise click.UsageError("NAME is missing, or is neither a base emote's name nor a URN: urn:...")
    urn = emote_urn(name)
    check_urn(urn)
    there = visit.run(
        targets[0] if targets else None,
        lambda on, where, me: do(
            on, where, lambda room, whom: room.emote(urn, stop=stop, to=whom), patience=visit.patience, visitor=me
        ),
    )
    complain(reached(there))
