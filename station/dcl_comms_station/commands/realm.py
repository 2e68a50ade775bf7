"""``dcl-comms realm``."""

from __future__ import annotations

import signal
from typing import Literal

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.exits import Interrupted
from dcl_comms_station.helping import below
from dcl_comms_station.loops import signals_interrupt
from dcl_comms_station.options import build_option
from dcl_comms_station.terminal import put

__all__ = ["realm"]


@click.command(
    epilog=below("dcl-comms realm", "dcl-comms realm --bots 3", "dcl-comms realm --ws-room --port 8000"),
    short_help="Run a realm on this machine.",
)
@click.option(
    "--livekit/--ws-room",
    default=None,
    help="LiveKit's rooms, or ws-rooms.  LiveKit's are of a server of ours where dcl_comms_rtc is installed, else of a "
    "livekit-server that is there; without either they are ws-rooms, unless asked for.",
)
@click.option("--media", is_flag=True, help="Rooms with sound and pictures: a livekit-server's.")
@build_option
@click.option("--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="0: any that is free.")
@click.option("--host", "hosts", multiple=True, metavar="NAME[:PORT]", help="A further name that it is asked for by.")
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="Pages that may connect, beside this machine's."
)
@click.option(
    "--bots",
    type=click.IntRange(0, 50),
    default=0,
    show_default=True,
    metavar="N",
    help="So many lively bots in it, 50 at most: they walk about, greet who comes, and answer !help.",
)
@click.option(
    "--islands",
    type=click.Choice(("pulse", "heartbeats")),
    default="pulse",
    show_default=True,
    help="What islands are formed from: as in Genesis City today, or as before.",
)
def realm(
    *,
    livekit: bool | None,
    media: bool,
    build: bool,
    port: int,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    islands: Literal["pulse", "heartbeats"],
    bots: int,
) -> None:
    """Run a whole realm on loopback until Ctrl-C: /about, islands, scene rooms, LiveKit's rooms, ws-rooms.

    A livekit-server is the one of LIVEKIT_SERVER, on PATH, or built before.
    """
    from dcl_comms_station.hosting import host_realm  # noqa: PLC0415 - for this command only

    with signals_interrupt() as seen:
        try:
            host_realm(
                put,
                livekit=livekit,
                media=media,
                build=build,
                islands=islands,
                bots=bots,
                port=port,
                hosts=hosts,
                origins=origins,
            )
        except KeyboardInterrupt:
            raise Interrupted(seen[0] if seen else signal.SIGINT) from None
