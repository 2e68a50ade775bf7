"""``dcl-comms chat``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import Visit, colour_option, visiting

__all__ = ["chat"]


@click.command(
    epilog=below(
        "dcl-comms chat https://realm-provider.decentraland.org/main --at 8,0,8",
        "dcl-comms chat http://127.0.0.1:8000 --wallet bot.key --color never",
        "echo 'good morning' | dcl-comms chat http://127.0.0.1:8000 --stay 10",
        about=TARGET,
    ),
    short_help="Talk with those in a room: words both ways.",
)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option(
    "--stay", type=click.FloatRange(min=0.0), default=0.0, help="Seconds to listen on after the end of a pipe."
)
@colour_option
@visiting()
def chat(
    *,
    visit: Visit,
    target: str | None,
    stay: float,
    colour: str,
) -> None:
    """Say each line that is typed, or that comes out of a pipe, and show what happens in the room or around us.

    On a terminal there is a prompt; /help tells what can be written there beside words: /to WHO TEXT, /who, /near,
    /emote NAME, /react N, /quit.  A pipe's end, or Ctrl-D, leaves once all has been sent.  A line with an access token
    in it is not sent.
    """
    from dcl_comms_station.chatting.talk import chat as talk  # noqa: PLC0415 - for this command only

    visit.run(
        target,
        lambda on, where, me: talk(on, where, colour=colour, stay=stay, patience=visit.patience, visitor=me),
    )
