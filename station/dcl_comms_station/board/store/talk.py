"""What was said: chat, emotes, reactions, who came and went; ours with what became of it."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_station.board.texts import cut, short_float

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Line", "Talk"]

_NAME: Final = 100
_TO: Final = 50
_SAME_SECONDS: Final = 2.0
"""Within which the same packet of ours to another room is the same message."""
_OPEN: Final = 1_000
"""Packets of ours whose acknowledgement is awaited."""


@dataclass(slots=True, eq=False, kw_only=True)
class Line:
    """One of them."""

    n: int
    t: float
    kind: str
    text: str
    slot: int | None = None
    id: str | None = None
    name: str = ""
    rooms: list[str] = field(default_factory=list[str])
    private: bool = False
    to: tuple[str, ...] = ()
    ours: bool = False
    state: str | None = None
    channel: str = ""
    stamp: float | None = None
    message_id: str | None = None
    forwarded_from: str = ""
    missing: int = 0
    """Characters that were cut."""

    def told(self) -> dict[str, Any]:
        """As the event ``chat``."""
        return {
            "k": "chat",
            "n": self.n,
            "t": round(self.t, 3),
            "kind": self.kind,
            "from": self.slot,
            "id": self.id,
            "name": cut(self.name, _NAME)[0],
            "text": self.text,
            "cut": self.missing,
            "rooms": self.rooms,
            "private": self.private,
            "to": list(self.to[:_TO]),
            "ours": self.ours,
            "state": self.state,
            "channel": cut(self.channel, _NAME)[0],
            "stamp": None if self.stamp is None else short_float(self.stamp),
            "message_id": self.message_id,
            "forwarded_from": cut(self.forwarded_from, _NAME)[0],
        }


class Talk:
    """The newest lines, so many."""

    def __init__(self, most: int, chars: int) -> None:
        self._lines: deque[Line] = deque(maxlen=most)
        self._chars = chars
        self._next = 1
        self._open: OrderedDict[tuple[str, int], Line] = OrderedDict()
        self._ours: deque[tuple[bytes, Line]] = deque(maxlen=16)

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, t: float, kind: str, text: str, **what: Any) -> Line:
        """Something was said."""
        shown, missing = cut(text, self._chars)
        line = Line(n=self._next, t=t, kind=kind, text=shown, missing=missing, **what)
        self._next += 1
        self._lines.append(line)
        return line

    def same(self, data: bytes, room: str, t: float) -> Line | None:
        """The line of the same packet of ours, which goes into this room too."""
        for said, line in self._ours:
            if said == data and room not in line.rooms and t - line.t <= _SAME_SECONDS:
                return line
        return None

    def sent(self, line: Line, data: bytes, room: str, token: int) -> None:
        """A line of ours waits for what the transport says to this packet."""
        self._ours.append((data, line))
        self._open[room, token] = line
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)

    def acknowledged(self, room: str, tokens: Iterable[int], *, failed: bool) -> list[Line]:
        """The transport took packets, or did not; the lines that changed."""
        changed: list[Line] = []
        for token in tokens:
            line = self._open.pop((room, token), None)
            if line is not None and (state := "failed" if failed else "taken") != line.state:
                line.state = state
                changed.append(line)
        return changed

    def newest(self, count: int) -> list[Line]:
        """The last ones, the oldest of these first."""
        return list(self._lines)[-count:]

    def before(self, n: int, count: int) -> tuple[list[Line], bool]:
        """Those before a number, and whether there are older ones still."""
        older = [line for line in self._lines if line.n < n]
        return older[-count:], len(older) > count
