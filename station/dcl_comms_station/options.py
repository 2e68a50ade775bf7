"""Options that several commands have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_core.errors import InvalidFilter, LocalProtocolError
from dcl_comms_core.pulse.choice import AUTO, check_pulse
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.forms import event_name
from dcl_comms_station.configuring.using import assumed
from dcl_comms_station.loops import LOOPS, get_loop, run
from dcl_comms_station.selecting import Selection
from dcl_comms_station.showing.colours import AUTO as AUTO_COLOUR
from dcl_comms_station.showing.colours import CHOICES
from dcl_comms_station.targets import SECRET_VARIABLE, find_secret, find_target
from dcl_comms_station.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Point

__all__ = [
    "SECONDS",
    "SPEED",
    "Visit",
    "build_option",
    "colour_option",
    "filter_option",
    "filter_options",
    "read_point",
    "visiting",
]

_NONE: Final = "none"

SECONDS: Final = click.FloatRange(min=0.0, min_open=True)
SPEED: Final = click.FloatRange(min=0.0, max=50.0, min_open=True)

_Number = TypeVar("_Number", int, float)
_Result = TypeVar("_Result")
_Command = TypeVar("_Command", bound="Callable[..., object]")


def read_point(text: str) -> Point:
    """Metres: x east, y up, z north.  BadParameter: it is something else."""
    numbers = _read(text, float)
    if len(numbers) != 3 or not all(map(isfinite, numbers)):  # noqa: PLR2004 - as many as a point has
        raise click.BadParameter(f"{text!r} is not X,Y,Z")
    x, y, z = numbers
    return x, y, z


def _read_parcel(text: str) -> tuple[int, int]:
    numbers = _read(text, int)
    if len(numbers) != 2:  # noqa: PLR2004 - as many as a parcel has
        raise click.BadParameter(f"{text!r} is not X,Y")
    return numbers[0], numbers[1]


def _read(text: str, kind: Callable[[str], _Number]) -> list[_Number]:
    """Numbers with commas between them; none if it is something else."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        return []


def _read_pulse(text: str) -> str:
    """BadParameter: it is none of those."""
    text = text.lower()
    try:
        check_pulse(None if text == _NONE else text)
    except LocalProtocolError:
        raise click.BadParameter(f"{text!r} is neither {AUTO} nor {_NONE} nor HOST:PORT") from None
    return text


_WHO: Final = (
    click.option(
        "--wallet",
        metavar="FILE",
        type=click.Path(readable=False),
        help="Who to be in a realm: a file, mode 0600, with a private key or with the JSON of a login that was made "
        "elsewhere; without it, a guest.",
    ),
    click.option(
        "--secret",
        metavar="-|@FILE",
        help=f"A world's password: to be asked for, or the first line of a file; otherwise {SECRET_VARIABLE} has it.",
    ),
    click.option(
        "--plain", is_flag=True, help="Allow http: and ws: off this machine too, such as to a preview in your network."
    ),
    click.option(
        "--pulse",
        type=_read_pulse,
        metavar="auto|none|HOST:PORT",
        default=AUTO,
        show_default=True,
        help="Whether a realm's Pulse is asked, by which Genesis City forms its islands, and where it is.",
    ),
)
_AT: Final = click.option(
    "--at", type=read_point, metavar="X,Y,Z", help="In a realm: where to be, in metres; the origin if not given."
)
_SCENE: Final = (
    click.option("--scene", metavar="ID", help="In a realm: be in this scene's room too."),
    click.option("--parcel", type=_read_parcel, metavar="X,Y", help="One of that scene's parcels."),
)
_LOOP: Final = click.option(
    "--loop", type=click.Choice(tuple(LOOPS)), default="asyncio", show_default=True, help="The event loop to use."
)


def build_option(command: _Command) -> _Command:
    """``--build``."""
    return click.option(
        "--build",
        is_flag=True,
        help="Download and compile livekit-server, once, if there is none: needs Go, some minutes and 75 MB.",
    )(command)


def colour_option(command: _Command) -> _Command:
    """``--color``, as ``colour``."""
    return click.option(
        "--color",
        "colour",
        type=click.Choice(CHOICES),
        default=AUTO_COLOUR,
        show_default=True,
        help="Colours by what happens; auto: on a terminal, unless NO_COLOR is set, and elsewhere if FORCE_COLOR is.",
    )(command)


def _read_filter(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """BadParameter: it is none."""
    try:
        Selection(text=text)
    except InvalidFilter as error:
        raise click.BadParameter(str(error)) from None
    return text


def filter_option(command: _Command) -> _Command:
    """``--filter``, as ``filter_text``."""
    return click.option(
        "--filter",
        "filter_text",
        metavar="EXPR",
        callback=_read_filter,
        help="Only what passes: kind:chat, peer:0x7c6*, text:hello, near:20, private, size>1000, "
        "any.field~PATTERN, with & | ! ( ).",
    )(command)


def filter_options(command: _Command) -> _Command:
    """``--only`` and ``--filter``."""
    kinds = click.Choice(sorted(map(event_name, EVERY_KIND)), case_sensitive=False)
    only = click.option("--only", type=kinds, multiple=True, metavar="KIND", help="Only this kind; may be repeated.")
    return only(filter_option(command))


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What the options of ``visiting`` say."""

    loop: str
    patience: float
    """Seconds: what ``--timeout`` bounds."""
    wallet: str | None
    at: Point | None
    scene: tuple[str, tuple[int, int]] | None
    """A scene's id and one of its parcels."""
    secret: str | None
    plain: bool
    pulse: str

    def run(self, target: str | None, main: Callable[[Loop, str, Visitor], Awaitable[_Result]]) -> _Result:
        """Run ``main`` with the loop, what the argument TARGET means, and who goes there.

        Failed(USAGE): there is no target, or no password in a file.  Interrupted: a signal ended it.
        """
        where = find_target(target)
        visitor = self.visitor()
        return run(get_loop(self.loop), lambda on: main(on, where, visitor))

    def visitor(self) -> Visitor:
        """Who goes there.  Failed(USAGE): there is no password in a file."""
        return Visitor(
            key_file=self.wallet,
            at=self.at,
            scene=self.scene,
            secret=find_secret(self.secret),
            names_secret=self.secret is not None,
            plain=self.plain,
            pulse=None if self.pulse == _NONE else self.pulse,
            assumed=assumed(("wallet", "at", "pulse")),
        )


def visiting(
    *,
    at: bool = True,
    scene: bool = True,
    seconds: float = 20.0,
    until: str = "Seconds until the room must be open.",
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Options of a command that goes into a room or a realm, which are given to it as ``visit``.

    ``at`` and ``scene``: whether it may say where it is there.  ``seconds`` and ``until``: what ``--timeout`` bounds.
    """

    def decorate(command: Callable[..., object]) -> Callable[..., object]:
        @wraps(command)
        def gather(**given: Any) -> object:
            parcel, named = given.pop("parcel", None), given.pop("scene", None)
            if (named is None) is not (parcel is None):
                raise click.UsageError("--scene and --parcel go together")
            visit = Visit(
                loop=given.pop("loop"),
                patience=given.pop("timeout"),
                wallet=given.pop("wallet"),
                at=given.pop("at", None),
                scene=None if named is None else (named, parcel),
                secret=given.pop("secret"),
                plain=given.pop("plain"),
                pulse=given.pop("pulse"),
            )
            return command(visit=visit, **given)

        patience = click.option("--timeout", type=SECONDS, default=seconds, show_default=True, help=until)
        options = [*([_AT] if at else ()), *(_SCENE if scene else ()), *_WHO, patience, _LOOP]
        for option in reversed(options):
            gather = option(gather)
        return gather

    return decorate
