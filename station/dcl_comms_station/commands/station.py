"""``dcl-comms station``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.loops import get_loop
from dcl_comms_station.options import Visit, visiting
from dcl_comms_station.targets import find_target
from dcl_comms_station.terminal import put

__all__ = ["station"]

_ABSENT: Final = (
    "Without TARGET it brings its own realm on this machine, with bots in it; a recording (NAME.mcap) is played.  "
    "Otherwise "
)


@click.command(
    epilog=below(
        "dcl-comms station",
        "dcl-comms station http://127.0.0.1:8000 --at 8,0,8 --record",
        "dcl-comms station evening.mcap",
        "dcl-comms station https://realm-provider.decentraland.org/main --read-only",
        about=_ABSENT + TARGET,
    ),
    short_help="See a realm at work in a browser, and play with it.",
)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="0: any that is free.")
@click.option("--no-browser", is_flag=True, help="Open no browser: the link is printed all the same.")
@click.option("--read-only", is_flag=True, help="The link that is printed may look and not act.")
@click.option(
    "--bots", type=click.IntRange(0, 50), default=3, show_default=True, metavar="N", help="So many in our own realm."
)
@click.option(
    "--other-wallet",
    "others",
    metavar="FILE",
    multiple=True,
    type=click.Path(readable=False),
    help="A further one, as of --wallet, that the page may choose; may be repeated.",
)
@click.option(
    "--recordings",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where recordings are, and are written; the current folder.",
)
@click.option(
    "--media",
    is_flag=True,
    help="With sound and pictures: over the livekit package's engine; our own realm in a livekit-server's rooms.",
)
@click.option("--record", is_flag=True, help="Record from the beginning, into a new file in --recordings.")
@visiting()
def station(
    *,
    visit: Visit,
    target: str | None,
    port: int,
    no_browser: bool,
    read_only: bool,
    bots: int,
    others: tuple[str, ...],
    recordings: Path,
    media: bool,
    record: bool,
) -> None:
    """Serve a page on this machine that shows a realm or a room at work: map, peers, chat, packets, step by step.

    The link on stdout has a token: whoever has it may act as you there.  It is for browsers of this machine only.
    """
    from dcl_comms_station.web.command import run_station  # noqa: PLC0415 - for this command only
    from dcl_comms_station.web.sources import Order  # noqa: PLC0415

    first = visit.visitor()
    guest = replace(first, key_file=None)
    known = [replace(first, key_file=file) for file in (visit.wallet, *others) if file is not None]
    file = None if target is None else Path(target)
    if file is not None and file.name.endswith((".mcap", ".mcap.part")) and file.is_file():
        order = Order(recording=file)
    else:
        where = None if target is None else find_target(target)
        if where is not None:
            first.settings(where)  # what can't be right is said here, and not on the page
        order = Order(target=where, bots=bots if where is None else None, visitor=first, record=record, media=media)
    run_station(
        get_loop(visit.loop),
        order,
        [guest, *known],
        put,
        port=port,
        folder=recordings,
        browser=not no_browser,
        read_only=read_only,
        timeout=visit.patience,
    )
