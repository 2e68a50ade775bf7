"""``dcl-comms walk``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import SECONDS, SPEED, Visit, colour_option, read_point, visiting
from dcl_comms_station.showing.faces import shown
from dcl_comms_station.walking import walk as walk_along

__all__ = ["walk"]


@click.command(
    epilog=below(
        "dcl-comms walk http://127.0.0.1:8000 0,0,0 100,0,0",
        "dcl-comms walk http://127.0.0.1:8000 8,0,8 --stay 60",
        about=TARGET,
    ),
    short_help="Walk along some points and leave.",
    # Or a point west of the origin would be an option.
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, required=True, metavar="[TARGET] X,Y,Z...", shell_complete=complete_target)
@click.option("--speed", type=SPEED, default=8.0, show_default=True, help="Metres a second, 50 at most.")
@click.option("--stay", type=SECONDS, default=3.0, show_default=True, help="Seconds at the last point.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a line, ASCII only.")
@colour_option
@visiting(at=False, scene=False)
def walk(
    *,
    visit: Visit,
    words: tuple[str, ...],
    speed: float,
    stay: float,
    as_json: bool,
    colour: str,
) -> None:
    """Be somewhere in a room or in a realm, walk from point to point (metres: east, up, north), and leave.

    Prints what happens meanwhile, as tail does.
    """
    given, *more = words
    is_point = "," in given and ":" not in given
    points = [read_point(word) for word in (words if is_point else more)]
    if not points:
        raise click.UsageError("where to? give one point or more, as X,Y,Z")
    with shown(as_json=as_json, colour=colour) as face:
        visit.run(
            None if is_point else given,
            lambda on, where, me: walk_along(
                on, where, points, face, speed=speed, stay=stay, patience=visit.patience, visitor=me
            ),
        )
