"""``dcl-comms record``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import SECONDS, filter_option, visiting

if TYPE_CHECKING:
    from dcl_comms_station.options import Visit

__all__ = ["record"]


@click.command(
    epilog=below(
        "dcl-comms record https://realm-provider.decentraland.org/main evening.mcap --seconds 600",
        "dcl-comms record http://127.0.0.1:8000 walk.mcap --at 90,0,0",
        "dcl-comms record http://127.0.0.1:8000 chat.mcap --filter 'kind:chat'",
        about=TARGET,
    ),
    short_help="Record what happens in a room or a realm, as MCAP.",
)
@click.argument("target", shell_complete=complete_target)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seconds", type=SECONDS, help="Leave after so many seconds.")
@click.option("--scene-channel/--no-scene-channel", "drawn", default=True, help="For viewers: who is where, at 5 Hz.")
@click.option("--audio", is_flag=True, help="What is heard too: 96 KB a second of each track.")
@filter_option
@visiting()
def record(
    *,
    visit: Visit,
    target: str,
    file: Path,
    seconds: float | None,
    drawn: bool,
    audio: bool,
    filter_text: str | None,
) -> None:
    """Be in a room or a realm, and write every packet, and all else that happens, into FILE until Ctrl-C.

    Until it is whole the file is FILE.part; what was written a second ago is there, whatever happens to this process.
    With --filter only packets and events that pass.  Recordings hold other people's words and ways.
    """
    from dcl_comms_station.looking.recording import record_into  # noqa: PLC0415 - an extra of its own

    visit.run(
        target,
        lambda on, where, me: record_into(
            on,
            where,
            file,
            seconds=seconds,
            shown=filter_text,
            drawn=drawn,
            audio=audio,
            patience=visit.patience,
            visitor=me,
        ),
    )
