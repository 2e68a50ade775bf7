"""``dcl-comms demo``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.exits import Exit
from dcl_comms_station.helping import below
from dcl_comms_station.options import SECONDS, build_option

__all__ = ["demo"]


@click.command(
    epilog=below("dcl-comms demo", "dcl-comms demo --memory"),
    short_help="Watch three peers meet, and check every packet.",
)
@click.option("--memory", is_flag=True, help="Run over the in-memory room: no realm, no livekit-server.")
@click.option("--seconds", type=SECONDS, default=60.0, show_default=True, help="The longest that it may take.")
@build_option
def demo(*, memory: bool, seconds: float, build: bool) -> int:
    """Three peers on three kinds of loop meet on one island of a realm; every packet is checked.

    Realm and livekit-server are private ones on this machine; without a livekit-server the island is a ws-room.
    """
    from dcl_comms_station.demo.stage import perform  # noqa: PLC0415 - three loops' libraries, for this command only

    return Exit.OK if perform(memory=memory, seconds=seconds, build=build) else Exit.FAILED
