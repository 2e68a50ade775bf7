"""``dcl-comms tail``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import SECONDS, Visit, colour_option, filter_options, visiting
from dcl_comms_station.rooms import tail as tail_room
from dcl_comms_station.selecting import Selection
from dcl_comms_station.showing.faces import shown
from dcl_comms_station.targets import find_recording

__all__ = ["tail"]


@click.command(
    epilog=below(
        "dcl-comms tail https://realm-provider.decentraland.org/main",
        "dcl-comms tail http://127.0.0.1:8000 --at 90,0,0 --seconds 60",
        "dcl-comms tail http://127.0.0.1:8000 --json --only chat_received --count 10",
        "dcl-comms tail http://127.0.0.1:8000 --filter 'text:hello | kind:peer & !me'",
        "dcl-comms tail http://127.0.0.1:8000 --filter 'near:20 & movement.position.y>1.5'",
        "dcl-comms tail evening.mcap --only chat_received",
        about=f"{TARGET}  Or a recording, FILE.mcap, which is shown as it was.",
    )
)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a line, ASCII only.")
@colour_option
@click.option("--packets", is_flag=True, help="Every packet as it came, instead of what it means.")
@click.option("--seconds", type=SECONDS, help="Leave after so many seconds.")
@click.option("--count", type=click.IntRange(min=1), help="Leave after so many events that are shown.")
@filter_options
@visiting()
def tail(
    *,
    visit: Visit,
    target: str | None,
    as_json: bool,
    colour: str,
    packets: bool,
    seconds: float | None,
    count: int | None,
    only: tuple[str, ...],
    filter_text: str | None,
) -> None:
    """Print what happens in a room, or in a realm around us, one line for each event.

    On a terminal who moves is one line at the bottom, that changes.
    """
    recorded = find_recording(target)
    with shown(as_json=as_json, colour=colour) as face:
        if recorded is not None:
            from dcl_comms_station.looking.recording import tail_recording  # noqa: PLC0415 - an extra of its own

            tail_recording(
                recorded, face, packets=packets, seconds=seconds, count=count, only=only, filter_text=filter_text
            )
            return
        visit.run(
            target,
            lambda on, where, me: tail_room(
                on,
                where,
                face,
                packets=packets,
                seconds=seconds,
                count=count,
                patience=visit.patience,
                visitor=me,
                shown=Selection(only, filter_text),
            ),
        )
