"""Where a session stands: the stages of its way in, its rooms, its island, how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core import commands as cm
from dcl_comms_core import events as ev
from dcl_comms_core import inputs as inp
from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.states import CloseReason
from dcl_comms_station.board.store.log import FIXES
from dcl_comms_station.board.store.people import PULSE
from dcl_comms_station.board.texts import cut
from dcl_comms_station.recording.openings import Openings

if TYPE_CHECKING:
    from dcl_comms_core.adapters.token import AccessToken, Grants
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId

__all__ = ["Entering", "grants_of"]

_LABELS: Final = {
    "about": "Realm's document",
    "login": "Login",
    "island": "Island service",
    "challenge": "Challenge signed",
    "pulse": "Pulse",
    "assigned": "Island",
    "room": "Room",
}
_REALM: Final = "realm"
_ISLANDS: Final = 20
_TEXT: Final = 300


@dataclass(slots=True)
class _Stage:
    name: str
    began: float
    state: str = "running"
    seconds: float | None = None
    text: str = ""

    def told(self) -> dict[str, Any]:
        seconds = None if self.seconds is None else round(self.seconds, 3)
        label = _LABELS[self.name]
        return {"name": self.name, "label": label, "state": self.state, "seconds": seconds, "text": self.text}


@dataclass(slots=True)
class _Room:
    label: str
    name: str
    sid: str
    metadata: str
    state: str = "open"
    grants: dict[str, Any] | None = None

    def told(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "name": cut(self.name, _TEXT)[0],
            "sid": cut(self.sid, _TEXT)[0],
            "state": self.state,
            "grants": self.grants,
            "metadata": cut(self.metadata, 10 * _TEXT)[0],
        }


def grants_of(grants: Grants) -> dict[str, Any]:
    """What a token allows, as a page is told."""
    return {
        "can_publish": grants.can_publish,
        "can_publish_data": grants.can_publish_data,
        "can_subscribe": grants.can_subscribe,
        "can_publish_sources": None if grants.can_publish_sources is None else list(grants.can_publish_sources),
        "can_update_own_metadata": grants.can_update_own_metadata,
        "hidden": grants.hidden,
    }


@dataclass(slots=True)
class Entering:
    """It goes by what a tap tells."""

    since: float | None = None
    state: str = "opening"
    stages: dict[str, _Stage] = field(default_factory=dict[str, _Stage])
    rooms: dict[str, _Room] = field(default_factory=dict[str, _Room])
    island: tuple[str, int] | None = None
    islands: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    error: dict[str, Any] | None = None
    token: dict[str, Any] | None = None
    identity: PeerId | None = None
    _openings: Openings = field(default_factory=Openings)
    _sockets: dict[int, str] = field(default_factory=dict[int, str])

    def told(self) -> dict[str, Any]:
        """What of STATE it knows."""
        return {
            "state": self.state,
            "id": None if self.identity is None else self.identity.text,
            "since": self.since,
            "stages": [stage.told() for stage in self.stages.values()],
            "rooms": [room.told() for room in self.rooms.values()],
            "island": None if self.island is None else {"id": cut(self.island[0], _TEXT)[0], "peers": self.island[1]},
            "error": self.error,
        }

    def take(self, t: float, item: Input | Command | Event) -> bool:  # noqa: C901, PLR0912 - one case for each kind of news
        """Something happened; whether that is news."""
        if self.since is None:
            self.since = t
        match item:
            case cm.Fetch() | inp.Fetched() | inp.FetchFailed() if self.rooms:
                return False  # who is who, and not the way in
            case cm.Fetch():
                self._begin("about" if "about" not in self.stages else "login", t)
            case inp.Fetched():
                self._end("about" if self._runs("about") else "login", t, f"HTTP {item.status}")
            case inp.FetchFailed():
                self._fail("about" if self._runs("about") else "login", t, f"{item.reason.value}: {item.detail}")
            case cm.OpenSocket():
                stage = "island" if item.subprotocol == "archipelago" else "room"
                self._sockets[item.link.link] = stage
                self._begin(stage, t)
            case inp.SocketOpened():
                if self._sockets.get(item.link.link) == "island":
                    self._end("island", t)
                    self._begin("challenge", t)
            case inp.SocketClosed():
                stage = self._sockets.pop(item.link.link, "room")
                if item.reason is not CloseReason.CLIENT:
                    self._fail(stage, t, f"{item.reason.value} {item.detail}".strip())
            case cm.OpenDatagrams():
                self._begin("pulse", t)
            case inp.DatagramsClosed():
                if item.reason is not CloseReason.CLIENT:
                    self._fail("pulse", t, f"{item.reason.value} {item.detail}".strip())
            case cm.OpenLink():
                self._begin("room", t)
                if isinstance(item.adapter, LiveKitAdapter):
                    self.token = _token(item.adapter.token)
            case inp.LinkFailed():
                self._fail("room", t, f"{item.reason.value} {item.detail}".strip())
            case inp.TokenRefreshed():
                self.token = _token(item.token)
            case _:
                return self._event(t, item)
        return True

    def _event(self, t: float, item: object) -> bool:  # noqa: C901, PLR0912 - the same
        match item:
            case ev.RoomOpened(room="pulse"):
                self._end("pulse", t)
                self.identity = item.identity
            case ev.RoomOpened():
                self._end("room", t)
                self.identity = item.identity
                grants = self.token["grants"] if self.token is not None else None
                self._opened(_Room(str(item.room), item.name, item.sid, item.metadata, grants=grants))
            case ev.RealmOpened():
                self._end("challenge", t)
                self.identity = item.identity
                self._begin("assigned", t)
            case ev.IslandChanged():
                self._end("assigned", t)
                self.island = item.island, len(item.peers)
                self.islands = [*self.islands[1 - _ISLANDS :], (t, cut(item.island, _TEXT)[0])]
            case ev.RoomClosed(room="pulse"):
                self._fail("pulse", t, item.reason.value)
            case ev.RoomClosed() if self._openings.closed(item.room):
                self.rooms.pop(item.room, None)
                if item.reason is not CloseReason.CLIENT:
                    self._fail("room", t, item.reason.value)
                self._over(item, whole=item.room not in {"island", "scene"})
            case ev.RealmClosed():
                self._fail("challenge", t, item.reason.value)
            case ev.WorldClosed():
                self.rooms.clear()
                self._openings = Openings()
                self._over(item, whole=True)
            case ev.Reconnecting():
                self.state = "reconnecting"
                if item.room in self.rooms:
                    self.rooms[item.room].state = "reconnecting"
            case ev.Reconnected():
                if item.room in self.rooms:
                    self.rooms[item.room].state = "open"
                if self.rooms:
                    self.state = "open"
            case ev.PermissionsChanged():
                if item.room in self.rooms:
                    self.rooms[item.room].grants = grants_of(item.grants)
            case ev.RoomMetadataChanged():
                if item.room in self.rooms:
                    self.rooms[item.room].metadata = item.metadata
            case ev.RoomMoved():
                if item.room in self.rooms:
                    self.rooms[item.room].name, self.rooms[item.room].sid = item.name, item.sid
            case _:
                return False
        return True

    def _opened(self, room: _Room) -> None:
        self._openings.opened(room.label)
        self.rooms[room.label] = room
        self.state, self.error = "open", None

    def _over(self, item: ev.RoomClosed | ev.WorldClosed, *, whole: bool) -> None:
        if whole:
            self.state = "closed"
        elif not self.rooms and self.state == "open":
            self.state = "reconnecting"
        if item.reason is not CloseReason.CLIENT:
            self.error = {
                "reason": item.reason.value,
                "retry": item.retry.value,
                "text": cut(item.detail, _TEXT)[0],
                "fix": FIXES[item.retry],
            }

    def lost(self, reason: str, text: str, fix: str = "") -> None:
        """It ended, and no event says so."""
        self.state = "closed"
        self.error = {"reason": reason, "retry": "never", "text": cut(text, _TEXT)[0], "fix": fix}

    def ours(self, room: str) -> bool:
        """Whether it is a room, and no other source of news of peers."""
        return room not in {PULSE, _REALM}

    def _runs(self, name: str) -> bool:
        return name in self.stages and self.stages[name].state == "running"

    def _begin(self, name: str, t: float) -> None:
        self.stages[name] = _Stage(name, t)

    def _end(self, name: str, t: float, text: str = "") -> None:
        stage = self.stages.get(name)
        if stage is not None and stage.state == "running":
            stage.state, stage.seconds, stage.text = "done", t - stage.began, text

    def _fail(self, name: str, t: float, text: str) -> None:
        stage = self.stages.get(name)
        if stage is not None and stage.state == "running":
            stage.state, stage.seconds, stage.text = "failed", t - stage.began, cut(text, _TEXT)[0]


def _token(token: AccessToken) -> dict[str, Any]:
    return {
        "identity": cut(token.identity, _TEXT)[0],
        "room": cut(token.room, _TEXT)[0],
        "expires": token.expires_at,
        "grants": grants_of(token.grants),
    }
