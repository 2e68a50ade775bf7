"""What the Board and the Station say to each other: requests of pages, what is looked at, why a page is closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_station.board.asked import Arguments

__all__ = ["ACTING", "ASKING", "CHANGING", "PROTOCOL", "Closing", "Request", "Source"]

PROTOCOL: Final = 1
"""The number of what pages speak."""


class Closing:
    """Why a page's socket is closed."""

    BAD: Final = 4400
    SLOW: Final = 4408
    TOO_MANY: Final = 4409
    END: Final = 4410
    RELOAD: Final = 4426


class Request(NamedTuple):
    """What a page wants the Station to do; it is answered with ``answer`` or ``refuse``."""

    page: int
    number: object
    do: str
    arguments: Arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is looked at."""

    kind: str = "none"
    """``none``, ``own``, ``target``, ``watch`` or ``recording``."""
    target: str = ""
    """Masked."""
    recording: int | None = None
    """The number of the recording that plays."""
    realm: Mapping[str, Any] | None = None


ACTING: Final = frozenset(
    {
        "chat", "whisper", "move", "walk", "emote", "react", "scene", "profile", "announce", "send", "ignore",
        "subscribe", "enter_scene", "leave_scene", "publish",
    }
)  # fmt: skip
"""What is done in a room."""
CHANGING: Final = frozenset({"open", "close", "record", "mark", "play", "export", "upload", "uploaded"})
"""What changes the Station, and is refused to who may only look."""
ASKING: Final = frozenset({"recordings", "realms", "doctor", "report"})
"""What only the Station knows."""
