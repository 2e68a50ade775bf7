"""What a page looks at: only that is sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from dcl_comms_station.board.asked import BadRequest, listed

__all__ = ["Chat", "Map", "Packets", "Peers", "View", "read_view"]

_T = TypeVar("_T")
_FASTEST: Final = 20.0
_SLOWEST: Final = 1.0
_SORTS: Final = frozenset(
    {
        "slot", "id", "name", "rooms", "distance", "speed", "pps", "bps", "seen", "mic", "camera", "profile_version",
        "score", "joined",
    }
)  # fmt: skip
_FILTER: Final = 500
_MEDIA: Final = 8
_SID: Final = 1_000


@dataclass(frozen=True, slots=True)
class Map:
    """The map: how often positions come at most, in 1/s."""

    on: bool = False
    hz: float = _FASTEST


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers' table."""

    on: bool = False
    sort: str = "distance"
    down: bool = False
    filter: str = ""
    first: int = 0
    rows: int = 40


@dataclass(frozen=True, slots=True)
class Packets:
    """The list of packets; ``anchor`` None: the newest."""

    on: bool = False
    filter: str = ""
    highlight: str = ""
    anchor: int | None = None
    rows: int = 60


@dataclass(frozen=True, slots=True)
class Chat:
    """The chat; ``before``: older ones than this are asked for."""

    on: bool = False
    before: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """All of it."""

    map: Map = field(default_factory=Map)
    peers: Peers = field(default_factory=Peers)
    packets: Packets = field(default_factory=Packets)
    chat: Chat = field(default_factory=Chat)
    learn: bool = False
    time: bool = False
    stats: bool = False
    media: bool = False
    audio: tuple[str, ...] = ()
    """Tracks that are listened to, by their ids."""
    video: tuple[str, ...] = ()
    """Tracks that are looked at."""


def read_view(given: object, most_rows: int) -> View:
    """What a page says that it looks at.  BadRequest: it is none."""
    view = _Part("view", given)
    shown, peers, packets, chat = (view.part(name) for name in ("map", "peers", "packets", "chat"))
    sort = peers.get("sort", str, "distance")
    if sort not in _SORTS:
        raise BadRequest("view.peers.sort", f"peers are sorted by one of {', '.join(sorted(_SORTS))}")
    return View(
        map=Map(shown.get("on", bool, default=False), min(max(shown.number("hz", _FASTEST), _SLOWEST), _FASTEST)),
        peers=Peers(
            peers.get("on", bool, default=False),
            sort,
            peers.get("down", bool, default=False),
            peers.get("filter", str, "")[:_FILTER],
            max(peers.get("first", int, 0), 0),
            min(max(peers.get("rows", int, 40), 0), most_rows),
        ),
        packets=Packets(
            packets.get("on", bool, default=False),
            packets.get("filter", str, ""),
            packets.get("highlight", str, ""),
            packets.maybe("anchor"),
            min(max(packets.get("rows", int, 60), 0), most_rows),
        ),
        chat=Chat(chat.get("on", bool, default=False), chat.maybe("before")),
        learn=view.part("learn").get("on", bool, default=False),
        time=view.part("time").get("on", bool, default=False),
        stats=view.part("stats").get("on", bool, default=False),
        media=view.part("media").get("on", bool, default=False),
        audio=view.names("audio"),
        video=view.names("video"),
    )


class _Part:
    """An object of a view."""

    def __init__(self, name: str, given: object) -> None:
        if not isinstance(given, Mapping):
            raise BadRequest(name, f"{name} is an object")
        self._name = name
        self._given = cast("Mapping[str, Any]", given)

    def part(self, name: str) -> _Part:
        return _Part(f"{self._name}.{name}", self._given.get(name) or {})

    def get(self, name: str, kind: type[_T], default: _T) -> _T:
        value = self._given.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise BadRequest(f"{self._name}.{name}", f"{self._name}.{name} is of the kind {kind.__name__}")
        return value

    def number(self, name: str, default: float) -> float:
        value = self._given.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
            raise BadRequest(f"{self._name}.{name}", f"{self._name}.{name} is a number")
        return float(value)

    def maybe(self, name: str) -> int | None:
        return None if self._given.get(name) is None else self.get(name, int, 0)

    def names(self, name: str) -> tuple[str, ...]:
        given = listed(self._given.get(name) or [])
        texts = [one for one in given or () if isinstance(one, str)]
        if given is None or len(texts) != len(given):
            raise BadRequest(f"{self._name}.{name}", f"{self._name}.{name} is a list of texts")
        if any(len(text) > _SID for text in texts):
            raise BadRequest(f"{self._name}.{name}", f"a text of {self._name}.{name} has {_SID} characters at most")
        return tuple(texts[:_MEDIA])
