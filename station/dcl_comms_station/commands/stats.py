"""``dcl-comms stats``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import SECONDS, Visit, visiting

__all__ = ["stats"]


@click.command(
    epilog=below(
        "dcl-comms stats https://realm-provider.decentraland.org/main --at 8,0,8",
        "dcl-comms stats http://127.0.0.1:8000 --seconds 60 --json",
        about=TARGET,
    ),
    short_help="Count what comes and goes, once a second.",
)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--seconds", type=SECONDS, help="Leave after so many seconds.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a line, ASCII only.")
@visiting()
def stats(
    *,
    visit: Visit,
    target: str | None,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Be in a room or a realm, and print once a second how much comes and goes.

    Packets and bytes, what is rejected or lost and why, and the round trip to the server.  The last line is the sum,
    after Ctrl-C too.
    """
    from dcl_comms_station.looking.traffic import JsonTold, LinesTold, follow_traffic  # noqa: PLC0415 - of this command

    told = JsonTold() if as_json else LinesTold()
    visit.run(
        target,
        lambda on, where, me: follow_traffic(on, where, told, seconds=seconds, patience=visit.patience, visitor=me),
    )
