"""Which way datagrams go between two peers: checks (STUN) without keys, their answers, and what follows from silence.

A request names whom it is for (``theirs:ours``), as the room server reads it; nothing in it is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dcl_comms_core.livekit.webrtc import Address, Route
    from dcl_comms_core.tools.prng import Prng

__all__ = ["Checks", "is_check"]

_STUN: Final = 4
"""What begins with less is one."""
_HEAD: Final = 20
_REQUEST: Final = b"\x00\x01"
_SUCCESS: Final = b"\x01\x01"
_MAGIC: Final = b"\x21\x12\xa4\x42"
_USERNAME: Final = b"\x00\x06"
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_NAME_CHARS: Final = 8
_FIRST: Final = 0.1
_SLOWEST: Final = 1.6
"""Seconds between two checks of a way that nobody answered yet: twice as long each time."""
_EVERY: Final = 2.0
"""Seconds between two checks of the way that is used."""
_RETRY: Final = 0.5
"""Seconds until one that was not answered is asked for again: twice as long each time."""
_SILENT: Final = 6.0
"""Seconds without an answer, after which it is lost."""
_MOST: Final = 16
"""Ways that are tried."""


def is_check(datagram: bytes) -> bool:
    """Whether this is about ways, and nothing else."""
    return datagram[:1] < bytes([_STUN])


class _Way:
    __slots__ = ("due", "pause", "route")

    def __init__(self, route: Route, now: float) -> None:
        self.route = route
        self.due = now
        self.pause = _FIRST


class Checks:
    """Of one peer."""

    __slots__ = ("_asked", "_heard_at", "_luck", "_news", "_older", "_ways", "local", "name", "out", "route", "theirs")

    def __init__(self, luck: Prng) -> None:
        self._luck = luck
        self._older = ""
        """By what we were known in the round before: its checks may be on their way."""
        self.name = self._new_name()
        """By what we are known."""
        self.theirs = ""
        """By what the other side is."""
        self.local: list[Address] = []
        self.route: Route | None = None
        """Where everything goes: the way that was answered last; None: none was."""
        self.out: list[tuple[Route, bytes]] = []
        """What is to be sent."""
        self._ways: dict[Address, _Way] = {}
        """By the other side's address."""
        self._asked: dict[bytes, _Way] = {}
        """Checks that nobody answered yet."""
        self._heard_at: float | None = None
        """When one was answered last; None: not in this round, or it is lost."""
        self._news: list[str] = []

    def _new_name(self) -> str:
        return "".join(_ALPHABET[int(self._luck.unit() * len(_ALPHABET))] for _ in range(_NAME_CHARS))

    def news(self) -> list[str]:
        """Take what became of the way: ``ice-checking``, ``ice-completed``, ``ice-disconnected``."""
        news, self._news = self._news, []
        return news

    def restart(self) -> None:
        """Begin another round, under another name; until it has a way, the one before is used."""
        self._older, self.name = self.name, self._new_name()
        self._ways.clear()
        self._asked.clear()
        self._heard_at = None
        self._news.append("ice-checking")

    def reach(self, remote: Address, now: float) -> None:
        """The other side may be there."""
        if self.local and remote not in self._ways and len(self._ways) < _MOST:
            self._ways[remote] = _Way(("udp", self.local[0], remote), now)

    def receive(self, datagram: bytes, remote: Address, local: Address, now: float) -> None:
        """Take a check, or the answer to one; whatever else it is, it is nothing."""
        transaction = datagram[8:_HEAD]
        if datagram[:2] == _SUCCESS:
            way = self._asked.pop(transaction, None)
            if way is not None and way.route[2] == remote:
                self._answered(way, now)
        elif datagram[:2] == _REQUEST and self._is_ours(datagram):
            self.out.append((("udp", local, remote), _SUCCESS + b"\x00\x00" + _MAGIC + transaction))
            self.reach(remote, now)

    def _is_ours(self, datagram: bytes) -> bool:
        size = int.from_bytes(datagram[_HEAD + 2 : _HEAD + 4])
        name = datagram[_HEAD + 4 : _HEAD + 4 + size].partition(b":")[0]
        return datagram[_HEAD : _HEAD + 2] == _USERNAME and name in {self.name.encode(), self._older.encode()}

    def _answered(self, way: _Way, now: float) -> None:
        if self._heard_at is None:
            self._news.append("ice-completed")
        self.route, self._heard_at = way.route, now
        way.due, way.pause = now + _EVERY, _RETRY

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is needed."""
        times = [way.due for way in self._ways.values()] if self.theirs else []
        times += [] if self._heard_at is None else [self._heard_at + _SILENT]
        return min(times, default=None)

    def handle_timeout(self, now: float) -> None:
        """Ask whom it is time to ask; notice silence."""
        if self._heard_at is not None and now >= self._heard_at + _SILENT:
            self._heard_at = None
            self._news.append("ice-disconnected")
        for way in self._ways.values() if self.theirs else ():
            if now >= way.due:
                way.due = now + way.pause
                way.pause = min(2.0 * way.pause, _SLOWEST)
                self._ask(way)

    def _ask(self, way: _Way) -> None:
        transaction = (self._luck.bits().to_bytes(8) + self._luck.bits().to_bytes(8))[:12]
        username = f"{self.theirs}:{self.name}".encode()
        attribute = _USERNAME + len(username).to_bytes(2) + username + bytes(-len(username) % 4)
        self._asked[transaction] = way
        if len(self._asked) > _MOST * _MOST:
            del self._asked[next(iter(self._asked))]
        self.out.append((way.route, _REQUEST + len(attribute).to_bytes(2) + _MAGIC + transaction + attribute))
