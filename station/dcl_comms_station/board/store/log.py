"""The log of a session: events that people read, each as one line."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core import events as ev
from dcl_comms_core.records.forms import event_name
from dcl_comms_core.states import CloseReason, Retry
from dcl_comms_station.lines import describe

if TYPE_CHECKING:
    from dcl_comms_core.events import Event

__all__ = ["FIXES", "Log"]

_QUIET: Final = (
    ev.PeerMoved
    | ev.PeerEmoted
    | ev.ChatReceived
    | ev.SceneMessageReceived
    | ev.ReactionReceived
    | ev.VoiceReceived
    | ev.PacketReceived
    | ev.ProfileAnnounced
    | ev.ProfileRequested
    | ev.ProfileReceived
    | ev.SpeakersChanged
    | ev.PeerJoined
    | ev.PeerLeft
    | ev.SignatureNeeded
    | ev.PeerIdentified
)
"""What other panels tell."""
_WARNINGS: Final = ev.Warning | ev.LimitReached | ev.PacketRejected | ev.Reconnecting | ev.PeerIgnored
FIXES: Final[dict[Retry, str]] = {
    Retry.NEVER: "What is asked for has to change: the target, the wallet, or the password",
    Retry.BACKOFF: "Try again: the same may work in a while",
    Retry.FRESH_CREDENTIALS: "Ask the realm for a new connection string: this one's token is spent",
}
"""What may help, for people."""


def _level(event: Event) -> str:
    match event:
        case ev.RoomClosed() | ev.RealmClosed() | ev.WorldClosed():
            return "info" if event.reason is CloseReason.CLIENT else "error"
        case ev.Kicked():
            return "error"
        case _:
            return "warning" if isinstance(event, _WARNINGS) else "info"


class Log:
    """The newest lines, so many."""

    def __init__(self, most: int) -> None:
        self._lines: deque[dict[str, Any]] = deque(maxlen=most)
        self._next = 1

    def __len__(self) -> int:
        return len(self._lines)

    def take(self, t: float, event: Event) -> dict[str, Any] | None:
        """The line of an event, as the event ``event``; None: another panel tells of it."""
        if isinstance(event, _QUIET):
            return None
        who = getattr(event, "sender", None)
        retry = getattr(event, "retry", None)
        return self.add(
            t,
            _level(event),
            event_name(event),
            describe(event),
            room=str(event.room),
            id=None if who is None else who.text,
            fix=None if retry is None or _level(event) == "info" else FIXES[retry],
        )

    def add(self, t: float, level: str, name: str, text: str, **what: Any) -> dict[str, Any]:
        """Write a line."""
        line = {"k": "event", "n": self._next, "t": round(t, 3), "level": level, "name": name, "text": text, **what}
        self._next += 1
        self._lines.append(line)
        return line

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The last ones, the oldest of these first."""
        return list(self._lines)[-count:]
