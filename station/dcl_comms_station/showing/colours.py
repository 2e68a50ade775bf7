"""Which colour what has, and whether there are any."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.states import CloseReason
from dcl_comms_station.clean import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AUTO", "CHOICES", "Tone", "is_screen", "painted", "tone_of", "wants_colour"]

AUTO: Final = "auto"
_ALWAYS: Final = "always"
_NEVER: Final = "never"
CHOICES: Final = (AUTO, _ALWAYS, _NEVER)
"""What ``--color`` takes."""
_BEGIN: Final = "\x1b["
_END: Final = "\x1b[0m"


class Tone(Enum):
    """What a line is about; the values are what a terminal is told (SGR)."""

    PLAIN = ""
    QUIET = "2"
    """Movement, and what is only an answer to a command."""
    WORDS = "36"
    PRIVATE = "35"
    COMPANY = "32"
    """Who comes and goes."""
    TROUBLE = "33"
    """Warnings, what was rejected, what is being repaired."""
    END = "31"
    """Something is over, and not because we left it."""


def wants_colour(choice: str, environ: Mapping[str, str], *, screen: bool) -> bool:
    """Whether there are colours: as ``--color`` says, else NO_COLOR, else FORCE_COLOR, else whether it is a screen.

    A variable that is empty says nothing.
    """
    if choice != AUTO:
        return choice == _ALWAYS
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or screen


def is_screen(environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether a line can be changed after it was written: a terminal that is not a dumb one."""
    return terminal and environ.get("TERM") not in {None, "", "dumb"}


def painted(text: str, tone: Tone) -> str:
    """The text in its colour.  It is made safe first, so that the only escapes in it are these."""
    safe = clean(text)
    return f"{_BEGIN}{tone.value}m{safe}{_END}" if safe and tone is not Tone.PLAIN else safe


def tone_of(event: ev.Event) -> Tone:  # noqa: PLR0911 - one short case for each
    """What an event is about."""
    match event:
        case ev.PacketRejected():
            return Tone.TROUBLE
        case ev.PeerMoved():
            return Tone.QUIET
        case ev.ChatReceived(private=False):
            return Tone.WORDS
        case ev.PeerJoined() | ev.PeerLeft() | ev.PeerIdentified():
            return Tone.COMPANY
        case ev.Warning() | ev.LimitReached() | ev.PeerIgnored() | ev.Reconnecting() | ev.TrackSubscriptionFailed():
            return Tone.TROUBLE
        case ev.RoomClosed() | ev.RealmClosed() | ev.WorldClosed():
            # On the way to another island a room is left for the next.
            return Tone.PLAIN if event.reason is CloseReason.CLIENT else Tone.END
        case ev.Kicked():
            return Tone.END
        case _:
            return Tone.PRIVATE if isinstance(event, ev.PacketEvent) and event.private else Tone.PLAIN
