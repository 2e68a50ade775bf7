"""What a line of ``chat`` means, and whom a word in it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, Final, TypeAlias

from dcl_comms_core.tools.secrets import has_token
from dcl_comms_station.clean import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.peers import PeerId

__all__ = [
    "HELP",
    "Emote",
    "Help",
    "Near",
    "Nothing",
    "Order",
    "Quit",
    "React",
    "Say",
    "Unknown",
    "Whisper",
    "Who",
    "Wrong",
    "named",
    "read_order",
]

HELP: Final = (
    "/to WHO TEXT   privately; WHO is an address, its beginning, a short id or a name (a name with blanks in quotes)",
    "/who           who is there",
    "/near [METRES] who is near us, 20 m unless given",
    "/emote NAME    play an emote: wave, dance, clap, or a URN",
    "/react N       react with the emoji of this number",
    "/quit          leave; so does Ctrl-D",
    "//TEXT         say a text that begins with /",
)
_NEAR: Final = 20.0
_BEGINNING: Final = 4
"""Characters of an identity, at least, that stand for it."""
_SHOWN: Final = 40
_NUMBER: Final = re.compile(r"[0-9]{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Say:
    """To everybody."""

    text: str


@dataclass(frozen=True, slots=True)
class Whisper:
    """To one alone; ``who`` is as it was written."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Emote:
    """By its name or URN."""

    name: str


@dataclass(frozen=True, slots=True)
class React:
    """With an emoji."""

    index: int


@dataclass(frozen=True, slots=True)
class Who:
    """Tell who is there."""


@dataclass(frozen=True, slots=True)
class Near:
    """Tell who is within so many metres."""

    metres: float


@dataclass(frozen=True, slots=True)
class Help:
    """Tell what can be written."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Do nothing, and tell why."""

    why: str


Order: TypeAlias = Say | Whisper | Emote | React | Who | Near | Help | Quit | Nothing | Wrong


def read_order(line: str) -> Order:
    """What a line means.  Of one with a token in it nothing is sent or shown."""
    if not line.strip():
        return Nothing()
    if has_token(line):
        return Wrong("nothing was sent: there is an access token in it, and everybody would read it")
    if not line.startswith("/"):
        return Say(line)
    if line.startswith("//"):
        return Say(line[1:])
    name, _, rest = line[1:].partition(" ")
    return _read_command(name.lower(), rest.strip())


def _read_command(name: str, rest: str) -> Order:  # noqa: PLR0911 - one short case for each
    match name, rest:
        case "to", _:
            who, text = _first(rest)
            return Whisper(who, text) if who and text else Wrong("to whom, and what? /to WHO TEXT")
        case "who", "":
            return Who()
        case "near", _:
            return _near(rest)
        case "emote", "":
            return Wrong("which emote? /emote wave")
        case "emote", _:
            return Emote(rest)
        case "react", _:
            return React(int(rest)) if _NUMBER.fullmatch(rest) else Wrong("with which emoji, by its number? /react 3")
        case "help", _:
            return Help()
        case "quit", "":
            return Quit()
        case called, _:
            return Wrong(_unknown(called))


def _near(text: str) -> Near | Wrong:
    try:
        metres = float(text) if text else _NEAR
    except ValueError:
        metres = -1.0
    return Near(metres) if isfinite(metres) and metres > 0.0 else Wrong("how near, in metres? /near 20")


def _unknown(name: str) -> str:
    if name in _COMMANDS:
        return f"/{name} takes nothing behind it; see /help"
    alike = get_close_matches(name[:_SHOWN], _COMMANDS, n=1)
    meant = f", did you mean /{alike[0]}?" if alike else ";"
    return f"there is no /{clean(name, limit=_SHOWN)}{meant} see /help; //TEXT says a text that begins with /"


def _first(text: str) -> tuple[str, str]:
    """The first word, or what is in quotes, and what follows."""
    if text.startswith('"') and (end := text.find('"', 1)) > 0:
        return text[1:end].strip(), text[end + 1 :].strip()
    word, _, rest = text.partition(" ")
    return word, rest.strip()


_COMMANDS: Final = (*(text.split()[0][1:] for text in HELP[:-1]), "help")


# --- whom a word names


@dataclass(frozen=True, slots=True)
class Unknown:
    """It names nobody, or several: why, for people."""

    why: str


def named(word: str, people: Iterable[tuple[PeerId, str]]) -> PeerId | Unknown:
    """Whom a word names, of these people and their names (empty: not known).

    An identity names that one alone.  Else it is whoever has the word as its short id, as its name or as the beginning
    of its identity, if that is one: names are of whatever a peer likes, so that of several nobody is taken.
    """
    wanted = word.lower().replace("...", "…")
    found: list[PeerId] = []
    for who, name in people:
        if who.key == word.lower():
            return who
        if _is_called(wanted, word, who, name):
            found.append(who)
    if len(found) == 1:
        return found[0]
    shown = clean(word, limit=_SHOWN)
    if not found:
        return Unknown(f"nothing was sent: nobody here is {shown}; /who tells who is here")
    several = ", ".join(clean(who.text, limit=_SHOWN + 10) for who in found[:3])
    return Unknown(f"nothing was sent: {shown} may be {len(found)} of those here ({several}): write the address")


def _is_called(wanted: str, word: str, who: PeerId, name: str) -> bool:
    shown = clean(name).strip()
    return (
        wanted == who.short.lower()
        or (shown != "" and shown.casefold() == word.casefold())
        or (len(wanted) >= _BEGINNING and who.key.startswith(wanted))
    )
