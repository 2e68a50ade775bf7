"""A recording that plays: its observations by a clock that can be set, stopped and sped up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from dcl_comms_core.records.filters import TapPacket
from dcl_comms_core.tools.labels import Label
from dcl_comms_station.board.observed import Received, Sent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dcl_comms_core.records.filters import Filter
    from dcl_comms_station.board.observed import Observed

__all__ = ["Player", "Recording", "Remembered"]

_ROUNDED: Final = 0.0006
_SPEEDS: Final = (0.1, 16.0)


class Recording(Protocol):
    """What can play."""

    name: str
    """For people."""
    first: float
    """When its first observation was, in unix seconds."""
    last: float
    """When its last was."""
    whole: bool
    """Whether it was finished, and nothing is missing at its end."""
    notice: str
    """What is to be said of it, or nothing."""

    def observations(self, before: float) -> Iterable[Observed]:
        """All of them in order, from the last place before that time from which everything is told."""
        ...


class Remembered:
    """A recording of what is in memory."""

    def __init__(self, name: str, seen: list[Observed], *, whole: bool = True, notice: str = "") -> None:
        self.name, self.whole, self.notice = name, whole, notice
        self._seen = seen
        self.first = seen[0].t if seen else 0.0
        self.last = seen[-1].t if seen else 0.0

    def observations(self, before: float) -> Iterable[Observed]:
        """All of them: what was told before ``before`` may matter then."""
        del before
        return self._seen


class Player:
    """The clock over a recording.  ``live``: it is the past of a session that goes on."""

    def __init__(self, recording: Recording, now: float, *, live: bool = False) -> None:
        self.recording = recording
        self.live = live
        self.speed = 1.0
        self.paused = live
        self.news = True
        """Whether there is something to tell of it."""
        self._at = recording.first
        self._set = now
        self._rest: Iterator[Observed] = iter(recording.observations(recording.first))
        self._next: Observed | None = next(self._rest, None)
        self._fed = recording.first

    def time(self, now: float) -> float:
        """The recording's time."""
        if self.paused:
            return self._at
        return min(self._at + (now - self._set) * self.speed, self.recording.last)

    def change(self, now: float, *, paused: bool | None = None, speed: float | None = None) -> None:
        """Stop, go on, go at another speed."""
        self._at, self._set = self.time(now), now
        if paused is not None:
            if not paused and self._at >= self.recording.last and not self.live:
                self.seek(self.recording.first, now)
            self.paused = paused
        if speed is not None:
            self.speed = min(max(speed, _SPEEDS[0]), _SPEEDS[1])
        self.news = True

    def seek(self, at: float, now: float) -> bool:
        """Be at another time.  True: it is told anew from before that; else it goes on from where it was."""
        # Pages are told times in milliseconds: what was at such a time has happened by then.
        at = min(max(at + _ROUNDED, self.recording.first), self.recording.last)
        self._at, self._set = at, now
        self.news = True
        if at >= self._fed and self._next is not None:
            return False
        self._rest = iter(self.recording.observations(at))
        self._next = next(self._rest, None)
        return True

    def take(self, now: float) -> Iterator[Observed]:
        """What was observed until now."""
        until = self.time(now)
        self._fed = until
        while self._next is not None and self._next.t <= until:
            seen, self._next = self._next, next(self._rest, None)
            yield seen
        if not self.paused and until >= self.recording.last:
            self._at, self._set, self.paused, self.news = until, now, True, True

    def next_packet(self, t: float, passes: Filter | None, *, back: bool) -> float | None:
        """When the next packet is that a filter lets through, or (``back``) the one before; None: there is none."""
        found: float | None = None
        for seen in self.recording.observations(self.recording.first):
            if not isinstance(seen, Received | Sent) or (seen.t >= t if back else seen.t <= t):
                continue
            if passes is not None and not passes(_packet(seen)):
                continue
            found = seen.t
            if not back:
                break
        return found

    def deadline(self, now: float) -> float | None:
        """When there is more to take."""
        if self.paused:
            return None
        then = self.recording.last if self._next is None else self._next.t
        return max(now, now + (then - self.time(now)) / self.speed)

    def told(self, now: float) -> dict[str, Any]:
        """As PLAY."""
        recording = self.recording
        return {
            "from": round(recording.first, 3),
            "to": round(recording.last, 3),
            "at": round(self.time(now), 3),
            "speed": self.speed,
            "paused": self.paused,
            "live": self.live,
            "name": recording.name,
            "whole": recording.whole,
            "notice": recording.notice,
        }


def _packet(seen: Received | Sent) -> TapPacket:
    room = Label.of(seen.room, 0.0)
    if isinstance(seen, Sent):
        return TapPacket.sent(seen.t, room, seen.command)
    return TapPacket(
        at=seen.t,
        room=room,
        sender=seen.sender,
        data=seen.data,
        reliable=seen.reliable,
        topic=seen.topic,
        private=seen.private,
        verdict=seen.verdict,
    )
