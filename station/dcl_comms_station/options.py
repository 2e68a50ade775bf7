"""Options that several commands have."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final, TypeVar

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.pulse.choice import AUTO, check_pulse
from dcl_comms_station.loops import LOOPS
from dcl_comms_station.targets import SECRET_VARIABLE, find_secret
from dcl_comms_station.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_station.visitor import Point

__all__ = [
    "SECONDS",
    "at_option",
    "build_option",
    "loop_option",
    "make_visitor",
    "place_options",
    "plain_option",
    "pulse_option",
    "read_point",
    "secret_option",
    "timeout_option",
    "wallet_option",
]

_NONE: Final = "none"

SECONDS: Final = click.FloatRange(min=0.0, min_open=True)

_Number = TypeVar("_Number", int, float)
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


def loop_option(command: _Command) -> _Command:
    """``--loop``."""
    return click.option(
        "--loop", type=click.Choice(tuple(LOOPS)), default="asyncio", show_default=True, help="The event loop to use."
    )(command)


def timeout_option(command: _Command) -> _Command:
    """``--timeout``."""
    return click.option(
        "--timeout", type=SECONDS, default=20.0, show_default=True, help="Seconds until the room must be open."
    )(command)


def wallet_option(command: _Command) -> _Command:
    """``--wallet``."""
    return click.option(
        "--wallet",
        metavar="FILE",
        help="Who to be in a realm: a file, mode 0600, with a private key or with the JSON of a login that was made "
        "elsewhere; without it, a guest.",
    )(command)


def secret_option(command: _Command) -> _Command:
    """``--secret``."""
    return click.option(
        "--secret",
        metavar="-|@FILE",
        help=f"A world's password: to be asked for, or the first line of a file; otherwise {SECRET_VARIABLE} has it.",
    )(command)


def plain_option(command: _Command) -> _Command:
    """``--plain``."""
    return click.option(
        "--plain", is_flag=True, help="Allow http: and ws: off this machine too, such as to a preview in your network."
    )(command)


def pulse_option(command: _Command) -> _Command:
    """``--pulse``."""
    return click.option(
        "--pulse",
        type=_read_pulse,
        metavar="auto|none|HOST:PORT",
        default=AUTO,
        show_default=True,
        help="Whether a realm's Pulse is asked, by which Genesis City forms its islands, and where it is.",
    )(command)


def at_option(command: _Command) -> _Command:
    """``--at``."""
    return click.option(
        "--at",
        type=read_point,
        metavar="X,Y,Z",
        help="In a realm: where to be, in metres; the origin if not given.",
    )(command)


def build_option(command: _Command) -> _Command:
    """``--build``."""
    return click.option(
        "--build",
        is_flag=True,
        help="Download and compile livekit-server, once, if there is none: needs Go, some minutes and 75 MB.",
    )(command)


def place_options(command: _Command) -> _Command:
    """``--at``, ``--scene`` and ``--parcel``."""
    for option in (
        click.option("--parcel", type=_read_parcel, metavar="X,Y", help="One of that scene's parcels."),
        click.option("--scene", metavar="ID", help="In a realm: be in this scene's room too."),
        at_option,
    ):
        command = option(command)
    return command


def make_visitor(
    wallet: str | None,
    at: Point | None = None,
    scene: str | None = None,
    parcel: tuple[int, int] | None = None,
    *,
    secret: str | None = None,
    plain: bool = False,
    pulse: str = AUTO,
) -> Visitor:
    """What the options say together.

    UsageError: a scene without a parcel, or a parcel without a scene.  Failed(USAGE): there is no password in a file.
    """
    if (scene is None) is not (parcel is None):
        raise click.UsageError("--scene and --parcel go together")
    return Visitor(
        key_file=wallet,
        at=at,
        scene=None if scene is None or parcel is None else (scene, parcel),
        secret=find_secret(secret),
        names_secret=secret is not None,
        plain=plain,
        pulse=None if pulse == _NONE else pulse,
    )
