"""What ``--help`` says below the options, and what a usage error says beside itself."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.targets import TARGET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TARGET", "TOKEN_TARGET", "below", "nearest", "usage_text"]

_FROM: Final = f"""a name in the file of --config,
- to read it from the first line of standard input, or absent to take it from {TARGET_VARIABLE} or that file's
default."""
TARGET: Final = f"""TARGET is a realm's URL (https://...; http:// of this machine needs no scheme), a world's name
(NAME.dcl.eth), main for Genesis City, a link of decentraland.org/play or decentraland://, or a connection string
(livekit:wss://..., archipelago:, signed-login:, ws-room: or simulator:), {_FROM}"""
TOKEN_TARGET: Final = f"""TARGET is a token, or a connection string with one (livekit:wss://...), {_FROM}"""


def below(*examples: str, about: str = "") -> str:
    """The end of a command's help: what its TARGET is, and calls of it as they would be typed."""
    # \b: the lines of this paragraph stay as they are.
    typed = "\n".join(("\b", "Examples:", *(f"  {line}" for line in examples)))
    return f"{about}\n\n{typed}" if about else typed


def usage_text(error: click.ClickException) -> str:
    """A usage error in one line, with where to read on."""
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    return text if context is None else f"{text.removesuffix('.')}; try: {context.command_path} --help"


def nearest(word: str, known: Iterable[str]) -> str:
    """The name that somebody meant, in a sentence; or nothing."""
    found = get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""
