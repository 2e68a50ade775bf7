"""What can be done in the rooms as they are now, asked before it is tried."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.tools.arguments import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Ability", "Can", "Cannot", "Obstacle", "ability", "least"]


class Can(Flag):
    """What may be asked of ``can``; several with ``|``: whether all of them."""

    CHAT = auto()
    """Write to everybody, emote, react."""
    WHISPER = auto()
    """Write to some alone: ``to=``."""
    MOVE = auto()
    """Be seen where we are."""
    SPEAK = auto()
    """Publish sound."""
    SHOW = auto()
    """Publish pictures."""


_NOTHING: Final = Can(0)


class Cannot(Enum):
    """Why something can't be done."""

    NO_ROOM = "no room is open"
    """It is being looked for, joined or repaired, or there is none: a matter of time."""
    TRANSPORT = "the room can't carry it"
    """A ws-room sends everything to everybody, and has no tracks."""
    PERMISSION = "it is not permitted"
    """The token does not grant it, or the server took it away."""
    OVER = "the connection is over"


class Obstacle(NamedTuple):
    """Why, and in words for people."""

    reason: Cannot
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """An answer, true or false: ``if room.can(Can.WHISPER)``."""

    asked: Can
    missing: Can = _NOTHING
    """Which of what was asked can't be done."""
    reason: Cannot | None = None
    """Why the first of them can't; None: all can."""
    detail: str = ""
    """The same in words, for people."""

    def __bool__(self) -> bool:
        return not self.missing


_TELLING: Final = (Cannot.PERMISSION, Cannot.TRANSPORT, Cannot.OVER, Cannot.NO_ROOM)
"""Of several rooms' obstacles the first of these says the most."""


def ability(asked: Can, obstacle: Callable[[Can], Obstacle | None]) -> Ability:
    """Ask one by one.  LocalProtocolError: it is no Can."""
    require(asked, Can, "can() takes a Can, or several: Can.CHAT | Can.WHISPER")
    found = {one: problem for one in asked if (problem := obstacle(one)) is not None}
    if not found:
        return Ability(asked=asked)
    missing = _NOTHING
    for one in found:
        missing |= one
    first = next(iter(found.values()))
    return Ability(asked=asked, missing=missing, reason=first.reason, detail=first.detail)


def least(obstacles: Iterable[Obstacle | None], otherwise: Obstacle) -> Obstacle | None:
    """What keeps us from a thing that one of several rooms is enough for; ``otherwise``: there is none."""
    found: list[Obstacle] = []
    for obstacle in obstacles:
        if obstacle is None:
            return None
        found.append(obstacle)
    return min(found, key=lambda one: _TELLING.index(one.reason), default=otherwise)
