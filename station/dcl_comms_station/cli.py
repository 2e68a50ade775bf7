"""The commands: arguments in, exit code out.  What they do is in the modules beside this one."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Literal, TextIO

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_core.journal.record import Journal
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_station.decoding import decode_hex, decode_lines
from dcl_comms_station.exits import Exit, Interrupted, explain
from dcl_comms_station.forms import dump, plain_event
from dcl_comms_station.helping import TARGET, TOKEN_TARGET, below, nearest, usage_text
from dcl_comms_station.lines import line, reached
from dcl_comms_station.loops import get_loop, run, signals_interrupt
from dcl_comms_station.options import (
    SECONDS,
    at_option,
    build_option,
    loop_option,
    make_visitor,
    place_options,
    plain_option,
    pulse_option,
    read_point,
    secret_option,
    timeout_option,
    wallet_option,
)
from dcl_comms_station.rooms import say as say_in_room
from dcl_comms_station.rooms import tail as tail_room
from dcl_comms_station.targets import check_text, find_target
from dcl_comms_station.terminal import complain, put
from dcl_comms_station.tokens import describe_token, plain_token, read_token, refusal
from dcl_comms_station.walking import walk as walk_along

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcl_comms_core.events import Event
    from dcl_comms_station.visitor import Point

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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="dcl-comms", message="%(prog)s %(version)s")
def cli() -> None:
    """Decentraland comms from the command line.

    Data goes to stdout, everything else to stderr.  Exit codes: 0 done, 2 usage, 3 refused, 4 network, 5 protocol,
    130 interrupted; demo and replay: 1 when a check failed.
    """


@cli.command(
    epilog=below(
        "dcl-comms tail https://realm-provider.decentraland.org/main",
        "dcl-comms tail http://127.0.0.1:8000 --at 90,0,0 --seconds 60",
        "dcl-comms tail http://127.0.0.1:8000 --json | jq 'select(.event == \"chat_received\")'",
        about=TARGET,
    )
)
@click.argument("target", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a line, ASCII only.")
@click.option("--packets", is_flag=True, help="Every packet as it came, instead of what it means.")
@click.option("--seconds", type=SECONDS, help="Leave after so many seconds.")
@click.option("--count", type=click.IntRange(min=1), help="Leave after so many events.")
@place_options
@wallet_option
@secret_option
@plain_option
@pulse_option
@timeout_option
@loop_option
def tail(  # noqa: PLR0913 - options, each by its name
    *,
    target: str | None,
    as_json: bool,
    packets: bool,
    seconds: float | None,
    count: int | None,
    at: Point | None,
    scene: str | None,
    parcel: tuple[int, int] | None,
    wallet: str | None,
    secret: str | None,
    plain: bool,
    pulse: str,
    timeout: float,
    loop: str,
) -> None:
    """Print what happens in a room, or in a realm around us, one line for each event."""
    where = find_target(target)
    visitor = make_visitor(wallet, at, scene, parcel, secret=secret, plain=plain, pulse=pulse)
    write = _write_json if as_json else _write_line
    run(
        get_loop(loop),
        lambda on: tail_room(
            on, where, write, packets=packets, seconds=seconds, count=count, patience=timeout, visitor=visitor
        ),
    )


def _write_json(event: Event, unix: float) -> None:
    put(dump({"time": round(unix, 6), **plain_event(event)}))


def _write_line(event: Event, unix: float) -> None:
    put(line(event, time.strftime("%H:%M:%S", time.localtime(unix))))


@cli.command(
    epilog=below(
        'dcl-comms say http://127.0.0.1:8000 "good morning"',
        "dcl-comms say http://127.0.0.1:8000 psst --to 0x7c60eac58dcedb297746ce1ead1a541f3ac2aaaa",
        'dcl-comms say - "good morning" < target.txt',
        about=TARGET,
    )
)
@click.argument("words", nargs=-1, required=True, metavar="[TARGET] TEXT")
@click.option("--to", multiple=True, metavar="IDENTITY", help="Privately to this participant; may be given repeatedly.")
@click.option("--wait", type=SECONDS, default=10.0, show_default=True, help="Seconds to wait for those of --to.")
@place_options
@wallet_option
@secret_option
@plain_option
@pulse_option
@timeout_option
@loop_option
def say(  # noqa: PLR0913 - options, each by its name
    *,
    words: tuple[str, ...],
    to: tuple[str, ...],
    wait: float,
    at: Point | None,
    scene: str | None,
    parcel: tuple[int, int] | None,
    wallet: str | None,
    secret: str | None,
    plain: bool,
    pulse: str,
    timeout: float,
    loop: str,
) -> None:
    """Write TEXT into a room, or to those around us in a realm, and leave."""
    *targets, text = words
    if len(targets) > 1:
        raise click.UsageError("one TARGET and one TEXT: quote a text that has blanks in it")
    check_text(text, alone=not targets)
    where = find_target(targets[0] if targets else None)
    visitor = make_visitor(wallet, at, scene, parcel, secret=secret, plain=plain, pulse=pulse)
    there = run(
        get_loop(loop), lambda on: say_in_room(on, where, text, to, wait=wait, patience=timeout, visitor=visitor)
    )
    complain(reached(there))


@cli.command(
    epilog=below(
        "dcl-comms walk http://127.0.0.1:8000 0,0,0 100,0,0",
        "dcl-comms walk http://127.0.0.1:8000 8,0,8 --stay 60",
        about=TARGET,
    ),
    short_help="Walk along some points and leave.",
    # Or a point west of the origin would be an option.
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, required=True, metavar="[TARGET] X,Y,Z...")
@click.option("--speed", type=SECONDS, default=8.0, show_default=True, help="Metres a second.")
@click.option("--stay", type=SECONDS, default=3.0, show_default=True, help="Seconds at the last point.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a line, ASCII only.")
@wallet_option
@secret_option
@plain_option
@pulse_option
@timeout_option
@loop_option
def walk(
    *,
    words: tuple[str, ...],
    speed: float,
    stay: float,
    as_json: bool,
    wallet: str | None,
    secret: str | None,
    plain: bool,
    pulse: str,
    timeout: float,
    loop: str,
) -> None:
    """Be somewhere in a room or in a realm, walk from point to point (metres: east, up, north), and leave.

    Prints what happens meanwhile, as tail does.
    """
    given, *more = words
    is_point = "," in given and ":" not in given
    points = [read_point(word) for word in (words if is_point else more)]
    if not points:
        raise click.UsageError("where to? give one point or more, as X,Y,Z")
    where = find_target(None if is_point else given)
    visitor = make_visitor(wallet, secret=secret, plain=plain, pulse=pulse)
    write = _write_json if as_json else _write_line
    run(
        get_loop(loop),
        lambda on: walk_along(on, where, points, write, speed=speed, stay=stay, patience=timeout, visitor=visitor),
    )


@cli.command(
    epilog=below("dcl-comms decode 2a0d0a02686911000000000000f03f5864", "dcl-comms decode - < packets.hex"),
    short_help="Decode packets in hex to JSON.",
)
@click.argument("hex_", metavar="HEX|-")
def decode(*, hex_: str) -> int:
    """Decode a Packet's bytes, given in hex, or each line of standard input; print kind and fields as JSON."""
    if hex_ == "-":
        return decode_lines(sys.stdin, put, complain)
    put(decode_hex(hex_))
    return Exit.OK


@cli.command(
    epilog=below("dcl-comms token - < token.txt", "dcl-comms token - --check --json < token.txt", about=TOKEN_TARGET),
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
        put(dump(plain_token(parsed, now)))
    else:
        put(*describe_token(parsed, now))
    return Exit.REFUSED if check and refusal(parsed, now) is not None else Exit.OK


@cli.command(
    epilog=below(
        "dcl-comms doctor https://realm-provider.decentraland.org/main",
        "dcl-comms doctor http://127.0.0.1:8000 --wallet bot.key --json",
        about=TARGET,
    ),
    short_help="Find out what keeps us out of a room.",
)
@click.argument("target", required=False)
@click.option("--json", "as_json_", is_flag=True, help="JSON, one object a line, ASCII only.")
@click.option("--timeout", type=SECONDS, default=10.0, show_default=True, help="Seconds that each stage may take.")
@at_option
@wallet_option
@secret_option
@plain_option
@pulse_option
@loop_option
def doctor(
    *,
    target: str | None,
    as_json_: bool,
    timeout: float,
    at: Point | None,
    wallet: str | None,
    secret: str | None,
    plain: bool,
    pulse: str,
    loop: str,
) -> int:
    """Time every step on the way into a room or a realm, and say what to do about the one that fails.

    The exit code is that of the first stage that failed.
    """
    from dcl_comms_station.doctor.examine import examine  # noqa: PLC0415 - for this command only
    from dcl_comms_station.doctor.findings import verdict  # noqa: PLC0415
    from dcl_comms_station.doctor.show import as_json, as_lines  # noqa: PLC0415

    where = find_target(target)
    form = as_json if as_json_ else as_lines
    visitor = make_visitor(wallet, at, secret=secret, plain=plain, pulse=pulse)
    findings = run(
        get_loop(loop),
        lambda on: examine(on, where, lambda one: put(*form(one).split("\n")), seconds=timeout, visitor=visitor),
    )
    return verdict(findings)


@cli.command(
    epilog=below("dcl-comms replay bot.journal", "gunzip -c bot.journal.gz | dcl-comms replay -"),
    short_help="Run a journal again, and say where it goes otherwise.",
)
@click.argument("file", type=click.File(encoding="ascii", errors="replace"))
def replay(*, file: TextIO) -> int:
    """Run the journal in FILE (-: standard input) again, and print the first step that gives something else.

    A journal is what connect(..., journal=FILE) wrote.  The exit code is 1 where it goes otherwise.
    """
    result = Journal.read(file.read(DEFAULT_LIMITS.journal_bytes + 1)).replay()
    put(*str(result).split("\n"))
    return Exit.OK if result.identical else Exit.FAILED


@cli.command(
    epilog=below("dcl-comms realm", "dcl-comms realm --ws-room --port 8000"),
    short_help="Run a realm on this machine.",
)
@click.option(
    "--livekit/--ws-room", default=None, help="Rooms of a livekit-server, or ws-rooms; LiveKit if there is one."
)
@build_option
@click.option("--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="0: any that is free.")
@click.option("--host", "hosts", multiple=True, metavar="NAME[:PORT]", help="A further name that it is asked for by.")
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="Pages that may connect, beside this machine's."
)
@click.option(
    "--islands",
    type=click.Choice(("pulse", "heartbeats")),
    default="heartbeats",
    show_default=True,
    help="What islands are formed from: as in Genesis City today, or as before.",
)
def realm(
    *,
    livekit: bool | None,
    build: bool,
    port: int,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    islands: Literal["pulse", "heartbeats"],
) -> None:
    """Run a whole realm on loopback until Ctrl-C: /about, islands, scene rooms, ws-rooms, and a livekit-server.

    The livekit-server is the one of LIVEKIT_SERVER, on PATH, or built before.
    """
    from dcl_comms_station.hosting import host_realm  # noqa: PLC0415 - for this command only

    with signals_interrupt() as seen:
        try:
            host_realm(put, livekit=livekit, build=build, islands=islands, port=port, hosts=hosts, origins=origins)
        except KeyboardInterrupt:
            raise Interrupted(seen[0] if seen else signal.SIGINT) from None


@cli.command(
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
