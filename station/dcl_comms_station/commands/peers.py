"""``dcl-comms peers``."""

from __future__ import annotations

import sys

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.forms import dump
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import SECONDS, Visit, visiting
from dcl_comms_station.showing.faces import columns
from dcl_comms_station.showing.table import in_columns
from dcl_comms_station.terminal import complain, put

__all__ = ["peers"]


@click.command(
    epilog=below(
        "dcl-comms peers https://realm-provider.decentraland.org/main --at 8,0,8",
        "dcl-comms peers http://127.0.0.1:8000 --seconds 10 --json",
        about=TARGET,
    ),
    short_help="List who is in a room, or around us.",
)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--seconds", type=SECONDS, default=3.0, show_default=True, help="Seconds to look around.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a line for each, ASCII only.")
@visiting()
def peers(
    *,
    visit: Visit,
    target: str | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Look around in a room or a realm for some seconds, list who is there, the nearest first, and leave.

    Names are as the realm says, or they themselves; finding them out may take ten seconds more.
    """
    from dcl_comms_station.looking.company import as_rows, plain_seen, who_is_there  # noqa: PLC0415 - of this command

    company = visit.run(
        target, lambda on, where, me: who_is_there(on, where, seconds=seconds, patience=visit.patience, visitor=me)
    )
    if not company:
        complain("nobody else is here")
    elif as_json:
        put(*(dump(plain_seen(one)) for one in company))
    else:
        put(*in_columns(as_rows(company), most=columns() if sys.stdout.isatty() else None))
