"""The newest packets, in and out, and what of them a filter lets through: a list that grows at its end."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dcl_comms_core.codec import peek
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.records.filters import TapPacket
from dcl_comms_core.tools.labels import Label
from dcl_comms_station.board.texts import cut
from dcl_comms_station.lines import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.records.filters import Filter
    from dcl_comms_station.board.observed import Received, Sent

__all__ = ["Kept", "Packets", "Search", "kind_in"]

_TEXT: Final = 300
_TOPIC: Final = 100
_LABELS: Final = 64
_LAST: Final = 4_096
"""Senders whose last packet's time is known."""
_OVERHEAD: Final = 120
"""Bytes of a packet beside its own, about."""


class Kept(NamedTuple):
    """A packet."""

    n: int
    t: float
    since: float | None
    """Seconds since the last of this sender, in this direction."""
    room: str
    sender: PeerId | None
    data: bytes
    reliable: bool
    private: bool
    topic: str
    verdict: str
    to: tuple[str, ...]
    kind: str | None
    ours: bool

    def packet(self, *, marked: bool = False) -> TapPacket:
        """As filters take it."""
        return TapPacket(
            at=self.t,
            room=self.room,
            sender=self.sender,
            data=self.data,
            reliable=self.reliable,
            topic=self.topic,
            private=self.private,
            verdict=self.verdict,
            to=self.to,
            marked=marked,
        )


def kind_in(data: bytes) -> str | None:
    """The kind of a packet's bytes; None: it has none, or is none."""
    try:
        return peek(data).kind
    except DecodeError:
        return None


class Packets:
    """A ring: so many, and so many bytes of them."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: deque[Kept] = deque()
        self.size = 0
        """Bytes, about."""
        self.next = 1
        """The number of the next one."""
        self._labels: dict[str, Label] = {}
        self._last: dict[tuple[str, bool], float] = {}
        self.marked: dict[int, str] = {}
        """Numbers, and what was noted of each."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def oldest(self) -> int:
        """The number of the oldest that is kept."""
        return self.next - len(self._kept)

    def received(self, seen: Received) -> Kept:
        """One that came."""
        key = "" if seen.sender is None else seen.sender.key
        return self._keep(
            Kept(
                self.next, seen.t, self._since(key, seen.t, ours=False), self._label(seen.room), seen.sender, seen.data,
                seen.reliable, seen.private, seen.topic, seen.verdict, (), kind_in(seen.data), False,
            )
        )  # fmt: skip

    def sent(self, seen: Sent) -> Kept:
        """One of ours."""
        command = seen.command
        return self._keep(
            Kept(
                self.next, seen.t, self._since(seen.room, seen.t, ours=True), self._label(seen.room), None,
                command.data, command.reliable, command.to is not None, command.topic, "sent", command.to or (),
                kind_in(command.data), True,
            )
        )  # fmt: skip

    def get(self, n: int) -> Kept | None:
        """The one of this number; None: it is not kept."""
        at = n - self.oldest
        return self._kept[at] if 0 <= at < len(self._kept) else None

    def some(self, first: int, count: int) -> list[Kept]:
        """So many from this number on."""
        at = max(first - self.oldest, 0)
        # A deque is walked from its nearer end, and islice from the front.
        if at > len(self._kept) // 2:
            back = len(self._kept) - at
            newest = list(islice(reversed(self._kept), back))
            return newest[::-1][:count]
        return list(islice(self._kept, at, at + count))

    def previous(self, kept: Kept) -> int | None:
        """The number of the one before it of this peer and kind."""
        for other in self.some(self.oldest, kept.n - self.oldest)[::-1]:
            if other.kind == kept.kind and other.sender == kept.sender and other.ours == kept.ours:
                return other.n
        return None

    def row(self, kept: Kept, slot: int | None, highlight: Filter | None) -> dict[str, Any]:
        """As a row of the list."""
        marked = kept.n in self.marked
        packet = kept.packet(marked=marked)
        return {
            "n": kept.n,
            "t": round(kept.t, 6),
            "d": None if kept.since is None else round(kept.since, 6),
            "dir": "out" if kept.ours else "in",
            "room": str(kept.room),
            "slot": slot,
            "id": None if kept.sender is None else kept.sender.text,
            "kind": packet.meaning.kind,
            "size": len(kept.data),
            "reliable": kept.reliable,
            "private": kept.private,
            "topic": cut(kept.topic, _TOPIC)[0],
            "verdict": kept.verdict,
            "text": cut(describe(packet.event), _TEXT)[0],
            "hl": highlight is not None and highlight(packet),
            "marked": marked,
        }

    def _keep(self, kept: Kept) -> Kept:
        self._kept.append(kept)
        self.next += 1
        self.size += len(kept.data) + _OVERHEAD
        while len(self._kept) > self._most or self.size > self._most_bytes:
            gone = self._kept.popleft()
            self.size -= len(gone.data) + _OVERHEAD
            self.marked.pop(gone.n, None)
        return kept

    def _since(self, key: str, t: float, *, ours: bool) -> float | None:
        before = self._last.pop((key, ours), None)
        self._last[key, ours] = t
        if len(self._last) > _LAST:
            del self._last[next(iter(self._last))]
        return None if before is None else max(t - before, 0.0)

    def _label(self, room: str) -> Label:
        label = self._labels.get(room)
        if label is None:
            # Its own clock: times here are unix seconds already.
            label = Label.of(str(room), 0.0)
            if len(self._labels) < _LABELS:
                self._labels[str(room)] = label
        return label


class Search:
    """What a filter lets through.  Matches have ordinals, that only grow."""

    def __init__(self, packets: Packets, passes: Filter | None) -> None:
        self._packets = packets
        self._passes = passes
        self._found: deque[int] = deque()
        self._first = 0
        self._looked = packets.oldest
        """The number of the first that was not looked at."""

    def look(self, most: int) -> bool:
        """Look at what is new, so many at most.  True: there is more."""
        packets = self._packets
        if self._passes is None:
            return False
        self._forget()
        self._looked = max(self._looked, packets.oldest)
        for kept in packets.some(self._looked, min(most, packets.next - self._looked)):
            if self._passes(kept.packet(marked=kept.n in packets.marked)):
                self._found.append(kept.n)
            self._looked = kept.n + 1
        return self._looked < packets.next

    @property
    def first(self) -> int:
        """The ordinal of the first match that is kept."""
        return self._packets.oldest if self._passes is None else self._first

    @property
    def end(self) -> int:
        """The ordinal after the last."""
        return self._packets.next if self._passes is None else self._first + len(self._found)

    def window(self, first: int, count: int) -> list[Kept]:
        """So many matches from this ordinal on."""
        if self._passes is None:
            return self._packets.some(first, count)
        self._forget()
        at = max(first - self._first, 0)
        numbers: Iterable[int] = islice(self._found, at, at + count)
        return [kept for n in numbers if (kept := self._packets.get(n)) is not None]

    def ordinal(self, n: int) -> int | None:
        """The ordinal of the packet of this number; None: it does not match."""
        if self._passes is None:
            return n
        self._forget()
        return next((self._first + at for at, found in enumerate(self._found) if found == n), None)

    def beside(self, n: int, *, back: bool) -> int | None:
        """The number of the next match after this number, or before it."""
        if self._passes is None:
            found = n - 1 if back else n + 1
            return found if self._packets.get(found) is not None else None
        self._forget()
        if back:
            return next((found for found in reversed(self._found) if found < n), None)
        return next((found for found in self._found if found > n), None)

    def _forget(self) -> None:
        oldest = self._packets.oldest
        while self._found and self._found[0] < oldest:
            self._found.popleft()
            self._first += 1
