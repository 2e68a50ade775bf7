"""The commands: arguments in, exit code out.  What they do is in the modules beside this one."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from dcl_comms_core.journal import Journal
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_station.clean import clean
from dcl_comms_station.decoding import decode_hex, decode_lines
from dcl_comms_station.exits import Exit, Interrupted, explain
from dcl_comms_station.forms import dump, plain_event
from dcl_comms_station.lines import line
from dcl_comms_station.loops import LOOPS, get_loop, run, signals_interrupt
from dcl_comms_station.rooms import say as say_in_room
from dcl_comms_station.rooms import tail as tail_room
from dcl_comms_station.targets import TARGET_VARIABLE, find_target
from dcl_comms_station.tokens import describe_token, plain_token, read_token, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dcl_comms_core.events import Event

__all__ = ["Commands", "cli"]

_SECONDS: Final = click.FloatRange(min=0.0, min_open=True)
_TARGET_HELP: Final = f"""TARGET is a connection string (livekit:wss://... or simulator:...), - to read it from the
first line of standard input, or absent to take it from {TARGET_VARIABLE}."""


def _complain(text: str) -> None:
    print(f"dcl-comms: {text}", file=sys.stderr, flush=True)


def _answer(error: BaseException) -> int | None:
    """Say what went wrong, in one line; returns the exit code, None for a bug of ours."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.ClickException():
            _complain(f"error: {clean(error.format_message())}")
            return error.exit_code
        case Interrupted():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return Exit.INTERRUPTED
        case _:
            known = explain(error)
            if known is not None:
                _complain(f"error: {known[1]}")
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


def _loop_option(command: Callable[..., object]) -> Callable[..., object]:
    return click.option(
        "--loop", type=click.Choice(tuple(LOOPS)), default="asyncio", show_default=True, help="The event loop to use."
    )(command)


def _timeout_option(command: Callable[..., object]) -> Callable[..., object]:
    return click.option(
        "--timeout", type=_SECONDS, default=20.0, show_default=True, help="Seconds until the room must be open."
    )(command)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dcl-comms", message="%(prog)s %(version)s")
def cli() -> None:
    """Decentraland comms from the command line.

    Data goes to stdout, everything else to stderr.  Exit codes: 0 done, 2 usage, 3 refused, 4 network, 5 protocol,
    130 interrupted; demo and replay: 1 when a check failed.
    """


@cli.command(epilog=_TARGET_HELP)
@click.argument("target", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a line, ASCII only.")
@click.option("--packets", is_flag=True, help="Every packet as it came, instead of what it means.")
@click.option("--seconds", type=_SECONDS, help="Leave after so many seconds.")
@click.option("--count", type=click.IntRange(min=1), help="Leave after so many events.")
@_timeout_option
@_loop_option
def tail(
    *,
    target: str | None,
    as_json: bool,
    packets: bool,
    seconds: float | None,
    count: int | None,
    timeout: float,
    loop: str,
) -> None:
    """Print what happens in a room, one line for each event."""
    where = find_target(target)
    write = _write_json if as_json else _write_line
    run(
        get_loop(loop),
        lambda on: tail_room(on, where, write, packets=packets, seconds=seconds, count=count, patience=timeout),
    )


def _write_json(event: Event) -> None:
    print(dump({"time": round(time.time(), 6), **plain_event(event)}), flush=True)


def _write_line(event: Event) -> None:
    print(line(event, time.strftime("%H:%M:%S")), flush=True)


@cli.command(epilog=_TARGET_HELP)
@click.argument("words", nargs=-1, required=True, metavar="[TARGET] TEXT")
@click.option("--to", multiple=True, metavar="IDENTITY", help="Privately to this participant; may be given repeatedly.")
@click.option("--wait", type=_SECONDS, default=10.0, show_default=True, help="Seconds to wait for those of --to.")
@_timeout_option
@_loop_option
def say(*, words: tuple[str, ...], to: tuple[str, ...], wait: float, timeout: float, loop: str) -> None:
    """Write TEXT into a room and leave."""
    *targets, text = words
    if len(targets) > 1:
        raise click.UsageError("one TARGET and one TEXT: quote a text that has blanks in it")
    where = find_target(targets[0] if targets else None)
    run(get_loop(loop), lambda on: say_in_room(on, where, text, to, wait=wait, patience=timeout))


@cli.command(short_help="Decode packets in hex to JSON.")
@click.argument("hex_", metavar="HEX|-")
def decode(*, hex_: str) -> int:
    """Decode a Packet's bytes, given in hex, or each line of standard input; print kind and fields as JSON."""
    if hex_ == "-":
        return decode_lines(sys.stdin, _print, _complain)
    _print(decode_hex(hex_))
    return Exit.OK


def _print(text: str) -> None:
    print(text, flush=True)


@cli.command(
    epilog=_TARGET_HELP.replace("a connection string", "a bare token or a connection string"),
    short_help="Print what an access token claims.",
)
@click.argument("target", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--check", is_flag=True, help="Exit with 3 if a server would refuse this token now.")
def token(*, target: str | None, as_json: bool, check: bool) -> int:
    """Print what an access token claims; never the token or its signature."""
    parsed = read_token(find_target(target))
    now = time.time()
    if as_json:
        print(dump(plain_token(parsed, now)))
    else:
        for text in describe_token(parsed, now):
            print(text)
    return Exit.REFUSED if check and refusal(parsed, now) is not None else Exit.OK


@cli.command(epilog=_TARGET_HELP, short_help="Find out what keeps us out of a room.")
@click.argument("target", required=False)
@click.option("--json", "as_json_", is_flag=True, help="JSON, one object a line, ASCII only.")
@click.option("--timeout", type=_SECONDS, default=10.0, show_default=True, help="Seconds that each stage may take.")
@_loop_option
def doctor(*, target: str | None, as_json_: bool, timeout: float, loop: str) -> int:
    """Time every step on the way into a room, and say what to do about the one that fails.

    The exit code is that of the first stage that failed.
    """
    from dcl_comms_station.doctor.examine import examine  # noqa: PLC0415 - for this command only
    from dcl_comms_station.doctor.findings import verdict  # noqa: PLC0415
    from dcl_comms_station.doctor.show import as_json, as_lines  # noqa: PLC0415

    where = find_target(target)
    form = as_json if as_json_ else as_lines
    findings = run(get_loop(loop), lambda on: examine(on, where, lambda one: _print(form(one)), seconds=timeout))
    return verdict(findings)


@cli.command(short_help="Run a journal again, and say where it goes otherwise.")
@click.argument("file", type=click.File(encoding="ascii", errors="replace"))
def replay(*, file: TextIO) -> int:
    """Run the journal in FILE (-: standard input) again, and print the first step that gives something else.

    A journal is what connect(..., journal=FILE) wrote.  The exit code is 1 where it goes otherwise.
    """
    result = Journal.read(file.read(DEFAULT_LIMITS.journal_bytes + 1)).replay()
    _print(str(result))
    return Exit.OK if result.identical else Exit.FAILED


@cli.command(short_help="Run a realm on this machine.")
@click.option(
    "--livekit/--ws-room", default=None, help="Rooms of a livekit-server, or ws-rooms; LiveKit if there is one."
)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="0: any that is free.")
def realm(*, livekit: bool | None, port: int) -> None:
    """Run a whole realm on loopback until Ctrl-C: /about, islands, scene rooms, ws-rooms, and a livekit-server."""
    from dcl_comms_station.hosting import host_realm  # noqa: PLC0415 - for this command only

    with signals_interrupt() as seen:
        try:
            host_realm(_print, livekit=livekit, port=port)
        except KeyboardInterrupt:
            raise Interrupted(seen[0] if seen else signal.SIGINT) from None


@cli.command(short_help="Watch three peers meet, and check every packet.")
@click.option("--memory", is_flag=True, help="Run over the in-memory room, without looking for a livekit-server.")
@click.option("--seconds", type=_SECONDS, default=60.0, show_default=True, help="The longest that it may take.")
def demo(*, memory: bool, seconds: float) -> int:
    """Three peers on three kinds of loop meet in one room; every packet is checked."""
    from dcl_comms_station.demo.stage import perform  # noqa: PLC0415 - three loops' libraries, for this command only

    return Exit.OK if perform(memory=memory, seconds=seconds) else Exit.FAILED
