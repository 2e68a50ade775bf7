"""The group of the commands, and what is answered when one fails; each command is a module of ``commands``."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.commands.chat import chat
from dcl_comms_station.commands.decode import decode
from dcl_comms_station.commands.demo import demo
from dcl_comms_station.commands.doctor import doctor
from dcl_comms_station.commands.emote import emote
from dcl_comms_station.commands.export import export
from dcl_comms_station.commands.peers import peers
from dcl_comms_station.commands.profile import profile
from dcl_comms_station.commands.react import react
from dcl_comms_station.commands.realm import realm
from dcl_comms_station.commands.record import record
from dcl_comms_station.commands.recover import recover
from dcl_comms_station.commands.replay import replay
from dcl_comms_station.commands.say import say
from dcl_comms_station.commands.station import station
from dcl_comms_station.commands.stats import stats
from dcl_comms_station.commands.tail import tail
from dcl_comms_station.commands.token import token
from dcl_comms_station.commands.walk import walk
from dcl_comms_station.commands.wallet import wallet
from dcl_comms_station.configuring.using import config_option
from dcl_comms_station.exits import Exit, Interrupted, explain
from dcl_comms_station.helping import below, nearest, usage_text
from dcl_comms_station.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Commands", "cli"]


def _answer(error: BaseException) -> int | None:
    """Say what went wrong, in one line; returns the exit code, None for a bug of ours."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.ClickException():
            complain(f"error: {usage_text(error)}")
            return error.exit_code
        case Interrupted():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return Exit.INTERRUPTED
        case _:
            known = explain(error)
            if known is not None:
                complain(f"error: {known[1]}")
            return None if known is None else known[0]


class Commands(click.Group):
    """A group whose failures are one line on stderr and an exit code of ``exits``."""

    def run(self, args: Sequence[str] | None = None) -> int:
        """Run the command of these arguments (None: the process's); returns the exit code."""
        try:
            answer: object = super().main(args, prog_name="dcl-comms", standalone_mode=False)
        except (KeyboardInterrupt, Exception) as error:
            code = _answer(error)
            if code is None:
                raise
            return code
        return answer if isinstance(answer, int) else Exit.OK

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of one that is none, which may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            if args[0].startswith("-"):
                raise
            msg = f"no such command: {args[0]!r}{nearest(args[0], self.list_commands(ctx))}"
            raise click.UsageError(msg, ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the end of whoever reads our output (``| head``) is no failure."""
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            # Wherever it struck: click would put an empty line on stderr for it.
            raise Interrupted(signal.SIGINT) from None
        except BrokenPipeError:
            # What is still in the buffer must not be tried again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.OK
        return answer

    def main(self, args: Sequence[str] | None = None, *_args: Any, **_kwargs: Any) -> Any:
        """Run and exit: what click's own test runner calls."""
        sys.exit(self.run(args))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=below(
        "dcl-comms realm --bots 3",
        "dcl-comms chat http://127.0.0.1:8000",
        "dcl-comms tail main --at 8,0,8",
        "dcl-comms --config bots.toml tail plaza",
    ),
)
@click.version_option(package_name="dcl-comms", message="%(prog)s %(version)s")
@config_option
def cli() -> None:
    """Decentraland comms from the command line.

    Data goes to stdout, everything else to stderr.  Exit codes: 0 done, 2 usage, 3 refused, 4 network, 5 protocol,
    130 interrupted; demo and replay: 1 when a check failed.
    """


for _command in (
    chat,
    decode,
    demo,
    doctor,
    emote,
    export,
    peers,
    profile,
    react,
    realm,
    record,
    recover,
    replay,
    say,
    station,
    stats,
    tail,
    token,
    walk,
    wallet,
):
    cli.add_command(_command)
