"""The steps of Learn: what went in and out of a session, the first of each kind of what comes without end."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from dcl_comms_core import commands as cm
from dcl_comms_core import events as ev
from dcl_comms_core import inputs as inp
from dcl_comms_core.packets.events import PacketEvent
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.forms import event_name
from dcl_comms_station.board.learning.texts import CHAPTERS, PACKET_TEXTS, TEXTS
from dcl_comms_station.board.texts import cut
from dcl_comms_station.forms import plain
from dcl_comms_station.lines import describe

if TYPE_CHECKING:
    from dcl_comms_core.events import Event
    from dcl_comms_station.board.learning.texts import Text
    from dcl_comms_station.board.store.packets import Kept

__all__ = ["Steps"]

_COMMANDS: Final = frozenset(cm.Command.__args__)
_FLOWING: Final = (
    cm.SendFrame | inp.FrameReceived | cm.SendDatagram | inp.DatagramReceived | inp.SpeakersHeard | ev.SpeakersChanged
)
"""What comes without end."""
_EACH: Final = 6
"""Of those, for each link."""
_PACKETS: Final = 2
"""Of each kind of packet and each event of one, in each direction."""
_VALUE: Final = 300
_HEX: Final = 512


class _Step(NamedTuple):
    n: int
    t: float
    since: float | None
    text: Text
    what: str
    name: str
    item: Any
    kept: Kept | None


class Steps:
    """The newest steps, so many."""

    def __init__(self, most: int) -> None:
        self._steps: deque[_Step] = deque(maxlen=most)
        self._next = 0
        self._last: float | None = None
        self._seen = Counter[object]()

    def step(self, t: float, item: object) -> None:
        """An input, a command or an event."""
        kind = type(item)
        if isinstance(item, _FLOWING):
            key: object = (kind, getattr(item, "link", None))
            if not self._few(key, _EACH):
                return
        elif isinstance(item, PacketEvent) and not self._few(kind, _PACKETS):
            return
        what = "event" if kind in EVERY_KIND else "command" if kind in _COMMANDS else "input"
        self._add(t, TEXTS[kind], what, event_name(cast("type[Event]", kind)), item, None)

    def packet(self, kept: Kept) -> None:
        """A packet."""
        if self._few((kept.kind, kept.ours), _PACKETS):
            text = PACKET_TEXTS.get(kept.kind, PACKET_TEXTS[None])
            self._add(kept.t, text, "packet", kept.kind or "unknown", None, kept)

    def _few(self, key: object, most: int) -> bool:
        if len(self._seen) > 10 * len(TEXTS):
            self._seen.clear()
        self._seen[key] += 1
        return self._seen[key] <= most

    def _add(self, t: float, text: Text, what: str, name: str, item: Any, kept: Kept | None) -> None:
        since = None if self._last is None else max(t - self._last, 0.0)
        self._steps.append(_Step(self._next, t, since, text, what, name, item, kept))
        self._next += 1
        self._last = t

    @property
    def end(self) -> int:
        """The number after the last."""
        return self._next

    def told(self) -> dict[str, Any]:
        """As the event ``learn``."""
        counts, first = Counter[str](), dict[str, int]()
        for step in self._steps:
            counts[step.text.chapter] += 1
            first.setdefault(step.text.chapter, step.n)
        chapters = [
            {"id": name, "title": CHAPTERS[name], "first": first[name], "count": counts[name]}
            for name in CHAPTERS
            if name in first
        ]
        return {"k": "learn", "first": self._next - len(self._steps), "end": self._next, "chapters": chapters}

    def some(self, first: int, count: int) -> list[dict[str, Any]]:
        """So many steps from this number on."""
        at = max(first - (self._next - len(self._steps)), 0)
        return [_told(step) for step in list(self._steps)[at : at + count]]


def _told(step: _Step) -> dict[str, Any]:
    text, kept = step.text, step.kept
    ours = kept is not None and kept.ours
    return {
        "n": step.n,
        "t": round(step.t, 6),
        "seconds": None if step.since is None else round(step.since, 6),
        "chapter": text.chapter,
        "what": step.what,
        "name": step.name,
        "title": text.title,
        "why": text.why,
        "from": text.to if ours else text.frm,
        "to": text.frm if ours else text.to,
        "fields": _fields(step),
        "line": cut(describe(step.item), _VALUE)[0] if step.what == "event" else "",
        "hex": None if kept is None else kept.data[:_HEX].hex(),
        "wrong": text.wrong,
        "python": text.python or None,
        "file": text.file,
        "packet": None if kept is None else kept.n,
    }


def _fields(step: _Step) -> dict[str, Any]:
    """What the item holds: masked already by what told us, and cut here."""
    if step.kept is not None:
        return {"kind": step.kept.kind, "size": len(step.kept.data), "verdict": step.kept.verdict}
    shown: dict[str, Any] = {}
    for name in getattr(step.item, "__dataclass_fields__", ()):
        if name.startswith("_"):
            continue
        value = getattr(step.item, name)
        if isinstance(value, bytes):
            shown[name] = f"{len(value)} bytes"
        elif name in {"payload", "headers", "token"} and not isinstance(value, int):
            shown[name] = "hidden"
        elif isinstance(value, str | int | float | bool | None):
            shown[name] = cut(value, _VALUE)[0] if isinstance(value, str) else plain(value)
        else:
            shown[name] = cut(str(plain(value)) if not hasattr(value, "protocol") else str(value), _VALUE)[0]
    return shown
