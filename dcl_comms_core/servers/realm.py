"""RealmServer: a whole realm from its other end, for an embedded realm and for tests.

Pages answer HTTP requests; sockets go to the twins of the island service and of ws-rooms.  What leads to a room is
made by ``mint``; without it, rooms are ws-rooms of the realm's own.

The realm has a Pulse server (:attr:`RealmServer.pulse`), which forms its islands: whoever has a session with the island
service and is a player of Pulse with the same login is told of its cluster as an island.  Datagrams and time go to it
directly; what it decides is carried on by ``commands()``.  ``islands="heartbeats"``: there is none, as before 2026.

==================================  ================================================================================
GET /about                          Genesis City's form: ``adapter`` leads to the island service
GET /world/NAME/about               a world's form: ``adapter`` and ``fixedAdapter`` lead to signed-login
POST /worlds/NAME/comms             signed: a world's room
POST /worlds/NAME/scenes/ID/comms   signed: a room of a scene in a world
POST /get-comms-adapter/ROOM        signed: the older form of the same
POST /get-scene-adapter             signed: a scene's room, as comms-gatekeeper gives it
GET /users/ADDRESS/bans             whether a wallet is banned
GET /lambdas/profiles/ADDRESS       a profile
POST /lambdas/profiles              several: ``{"ids": [...]}``
/archipelago/ws, /ws                the island service
/rooms/NAME                         ws-rooms with the real service's rules: a wallet is in one of them
/realm/rooms/NAME                   the realm's own rooms, where there is no LiveKit: a wallet is in each of them once
==================================  ================================================================================
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.identity.signed_fetch import EXPLORER
from dcl_comms_core.identity.signed_request import RequestRefused, SignedRequest, read_signed_request
from dcl_comms_core.inputs import ClockSet, FrameReceived, LinkRef, SendAcknowledged, SocketClosed
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.archipelago import ArchipelagoServer
from dcl_comms_core.servers.islands import Islands
from dcl_comms_core.servers.pulse.server import PulseServer
from dcl_comms_core.servers.pulse.settings import PulseSettings
from dcl_comms_core.servers.tries import SECRET_SECONDS, Tries
from dcl_comms_core.servers.ws_room import WsRoomServer
from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits

__all__ = ["RealmPage", "RealmRules", "RealmServer", "RealmSettings"]

_NAME: Final = r"([^/]+)"
_BEYOND_PATHS = re.compile(r"[^A-Za-z0-9._~:-]")
_IDS: Final = 1_000
_THIS_MACHINE: Final = PulseSettings(allowed=frozenset({"127.0.0.1", "::1"}), address_proving=512)
_SCENES_SIGNER: Final = "decentraland-kernel-scene"


class RealmPage(NamedTuple):
    """The answer to a request: JSON."""

    status: int
    document: object
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The document as JSON bytes; None: nothing."""
        return b"" if self.document is None else json.dumps(self.document, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmSettings:
    """The settings of a realm; the defaults are the real services'.  Metres and seconds."""

    name: str = "embedded"
    join: float = 64.0
    """A peer this close to one on an island joins that island."""
    leave: float = 80.0
    """A peer farther than this from all others on its island leaves it."""
    max_peers: int = 100
    """The most on one island, and in one ws-room."""
    prefix: str = "I"
    """The prefix of islands' names."""
    islands: Literal["pulse", "heartbeats"] = "pulse"
    """What islands are formed from: the clusters of Pulse, for which the rules above do not count, or heartbeats."""
    pulse: PulseSettings = _THIS_MACHINE
    """Pulse's, which lets any number in from this machine."""
    flush_seconds: float = 2.0
    """How often islands are settled."""
    heartbeat_timeout: float = 60.0
    """A peer that sends no heartbeat for this long is removed from its island, without a message."""
    archipelago_stage_seconds: float = 60.0
    """How long a step of the island service's handshake may take."""
    ws_room_stage_seconds: float = 1.0
    """The same for ws-rooms; in the realm's own rooms, as in the island service's."""


@dataclass(slots=True, kw_only=True)
class RealmRules:
    """Whom a realm admits, and what it reports of itself.  Survives a restart; addresses are in lower case."""

    banned: set[str] = field(default_factory=set[str])
    denied: set[str] = field(default_factory=set[str])
    full: bool = False
    healthy: bool = True
    throttled: int = 0
    """How many further signed requests are answered with 429."""
    retry_after: float = 60.0
    """The Retry-After of these answers, in whole seconds."""
    profiles: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    secrets: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """The passwords of worlds that have one, by name in lower case."""


class RealmServer:
    """One realm at ``url`` (http, without a path).  Makes no connection, reads no clock, starts nothing.

    ``mint(room, address)`` gives the connection string that lets an address into a room; None: ws-rooms.
    ``pulse_at``: host and port of its Pulse, which it names in its documents.  Give it ClockSet first.
    """

    def __init__(
        self,
        url: str,
        *,
        verifier: Verifier,
        mint: Callable[[str, str], str] | None = None,
        settings: RealmSettings | None = None,
        rules: RealmRules | None = None,
        pulse_at: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
    ) -> None:
        settings = RealmSettings() if settings is None else settings
        self.settings = settings
        self.rules = RealmRules() if rules is None else rules
        self._url = url.rstrip("/")
        self._sockets_url = "ws" + self._url.removeprefix("http")
        self._verifier = verifier
        self._mint = self._own_room if mint is None else mint
        self._limits = limits
        self._unix_offset: float | None = None
        self._tries = Tries(limits)
        self._pulse_at = pulse_at
        self.pulse: PulseServer | None = None
        """None: islands are formed from heartbeats."""
        if settings.islands == "pulse":
            self.pulse = PulseServer(
                verifier=verifier,
                entropy=entropy + 3,
                bans=self.rules.banned,
                settings=settings.pulse,
                limits=limits,
            )
        self.archipelago = ArchipelagoServer(
            verifier=verifier,
            mint=self._mint,
            banned=lambda address: address in self.rules.banned,
            denied=lambda address: address in self.rules.denied,
            islands=Islands(
                join=settings.join,
                leave=settings.leave,
                max_peers=settings.max_peers,
                prefix=settings.prefix,
                heartbeat_timeout=settings.heartbeat_timeout,
            ),
            assigned=None if self.pulse is None else self._assigned,
            flush_seconds=settings.flush_seconds,
            stage_seconds=settings.archipelago_stage_seconds,
            limits=limits,
            entropy=entropy,
        )
        self.rooms = self._ws_rooms(one_room=True, entropy=entropy + 1)
        """``/rooms/NAME``."""
        self.own_rooms = self._ws_rooms(one_room=False, entropy=entropy + 2)
        """``/realm/rooms/NAME``."""
        self._whose: dict[LinkRef, ArchipelagoServer | WsRoomServer] = {}
        self._pages: Final[tuple[tuple[str, re.Pattern[str], Callable[..., RealmPage]], ...]] = (
            ("GET", re.compile("/about"), self._about),
            ("GET", re.compile(f"/world/{_NAME}/about"), self._world_about),
            ("GET", re.compile(f"/users/{_NAME}/bans"), self._bans),
            ("GET", re.compile(f"/lambdas/profiles/{_NAME}"), self._profile),
            ("POST", re.compile("/lambdas/profiles/?"), self._profiles),
        )
        # What stands before a world's name in the first part of the path that varies; None: it is no door of a world's.
        self._signed_pages: Final[tuple[tuple[re.Pattern[str], Callable[..., RealmPage], str | None], ...]] = (
            (re.compile("/get-scene-adapter"), self._scene_adapter, None),
            (re.compile(f"/worlds/{_NAME}/comms"), self._world_adapter, ""),
            (re.compile(f"/worlds/{_NAME}/scenes/{_NAME}/comms"), self._world_scene_adapter, ""),
            (re.compile(f"/get-comms-adapter/{_NAME}"), self._legacy_adapter, "world-"),
        )

    def _ws_rooms(self, *, one_room: bool, entropy: int) -> WsRoomServer:
        return WsRoomServer(
            verifier=self._verifier,
            max_users=self.settings.max_peers,
            one_room=one_room,
            # The real service hangs up on both without a word.
            denied=lambda address: address in self.rules.banned or address in self.rules.denied,
            # A busy machine may need more than the second of the real rooms; the realm's own have no example.
            stage_seconds=(
                self.settings.ws_room_stage_seconds if one_room else self.settings.archipelago_stage_seconds
            ),
            limits=self._limits,
            entropy=entropy,
        )

    def _assigned(self, address: str, session: str) -> str | None:
        """The island that Pulse says."""
        found = None if self.pulse is None else self.pulse.assignment(address, session)
        return None if found is None else _island(found.cluster)

    def islands(self) -> dict[str, frozenset[str]]:
        """Who is on which island: names, and addresses in lower case."""
        if self.pulse is not None:
            return {_island(name): members for name, members in self.pulse.clusters().items()}
        islands = self.archipelago.islands
        return {name: frozenset(islands.members(name)) for name in islands.names()}

    # --- sockets

    @property
    def _twins(self) -> tuple[ArchipelagoServer, WsRoomServer, WsRoomServer]:
        return self.archipelago, self.rooms, self.own_rooms

    def accept(self, link: LinkRef, target: str, *, now: float) -> bool:
        """A client opened a WebSocket to this path.  False: there is none here; answer 404."""
        path = target.partition("?")[0]
        if path in {"/archipelago/ws", "/ws"}:
            self.archipelago.accept(link, now=now)
            self._whose[link] = self.archipelago
            return True
        for base, twin in (("/rooms/", self.rooms), ("/realm/rooms/", self.own_rooms)):
            room = path.removeprefix(base)
            if path.startswith(base) and room and "/" not in room:
                twin.max_users = 0 if self.rules.full else self.settings.max_peers
                twin.accept(link, room, now=now)
                self._whose[link] = twin
                return True
        return False

    def upgrade(self, link: LinkRef, target: str, _headers: Mapping[str, str], *, now: float) -> RealmPage | None:
        """The same for a host of HTTP: None: it is to be opened; else the refusal."""
        return None if self.accept(link, target, now=now) else RealmPage(404, None)

    def receive(self, inp: Input, *, now: float) -> None:
        """Take what a client sent, its end, or the wall clock.  LocalProtocolError: it is something else."""
        match inp:
            case ClockSet():
                for twin in self._twins:
                    twin.receive(inp, now=now)
                self._unix_offset = inp.unix_offset
                if self.pulse is not None:
                    self.pulse.set_clock(inp.unix_offset)
            case FrameReceived() | SocketClosed() | SendAcknowledged():
                whose = self._whose.get(inp.link)
                if whose is not None:
                    whose.receive(inp, now=now)
                if isinstance(inp, SocketClosed):
                    self._whose.pop(inp.link, None)
            case _:
                msg = f"a realm takes ClockSet, FrameReceived, SocketClosed, not {type(inp).__name__}"
                raise LocalProtocolError(msg)

    def commands(self) -> list[Command]:
        """Take everything that the sockets are to do, in order."""
        if self.pulse is not None:
            for change in self.pulse.events():
                self.archipelago.assign(change.wallet, change.session, _island(change.cluster))
        return [command for twin in self._twins for command in twin.commands()]

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        return min((due for twin in self._twins if (due := twin.deadline()) is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        for twin in self._twins:
            twin.handle_timeout(now)

    @property
    def counters(self) -> Counter[str]:
        """What the twins counted, together; those of Pulse begin with ``pulse.``: see ``PulseServer.counters``."""
        total = sum((twin.counters for twin in self._twins), Counter[str]())
        if self.pulse is not None:
            total.update({f"pulse.{name}": count for name, count in self.pulse.counters.items()})
        return total

    def kick(self, address: str, *, now: float) -> bool:
        """Kick a wallet from the island service, all ws-rooms, and Pulse.  False: it is in none."""
        kicks = [twin.kick(address, now=now) for twin in self._twins]
        if self.pulse is not None:
            reason = DisconnectReason.BANNED if address.lower() in self.rules.banned else DisconnectReason.GRACEFUL
            kicks.append(self.pulse.kick(address, reason, now=now))
        return any(kicks)

    # --- pages

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, now: float) -> RealmPage:
        """Answer an HTTP request.  ``target`` is path and query, the names of ``headers`` are in lower case."""
        path = target.partition("?")[0]
        for verb, form, page in self._pages:
            match = form.fullmatch(path)
            if match is not None and verb == method:
                return page(*match.groups(), *((body,) if verb == "POST" else ()))
        for form, page, prefix in self._signed_pages:
            match = form.fullmatch(path)
            if match is not None and method == "POST":
                asks = self._who(path, headers, now)
                if isinstance(asks, SignedRequest) and prefix is not None:
                    asks = self._locked(match[1].lower().removeprefix(prefix), asks, now) or asks
                return asks if isinstance(asks, RealmPage) else page(*asks, *match.groups())
        return _error(404, "Not Found")

    def _who(self, path: str, headers: Mapping[str, str], now: float) -> SignedRequest | RealmPage:
        """Who asks, if it may; else what it is told."""
        rules = self.rules
        if rules.throttled > 0:
            rules.throttled -= 1
            return _error(429, "Too many requests", ("Retry-After", f"{rules.retry_after:.0f}"))
        if self._unix_offset is None:
            msg = "a realm needs the wall clock: receive(ClockSet(unix_offset=...)) first"
            raise LocalProtocolError(msg)
        asks = read_signed_request(
            "post",
            path,
            headers,
            unix_now=now + self._unix_offset,
            verifier=self._verifier,
            limits=self._limits,
        )
        if isinstance(asks, RequestRefused):
            return _error(asks.status, asks.text)
        # In any case: the older form of a signature does not say which it was.
        signers = (str(value).lower() for key, value in asks.metadata.items() if key.lower() == "signer")
        if _SCENES_SIGNER in signers:
            return _error(400, "Invalid metadata")
        if asks.address in rules.denied:
            return _error(401, "Access denied, deny-listed wallet")
        if asks.address in rules.banned:
            return _error(403, "Access denied, platform-banned user")
        return asks

    def _locked(self, world: str, asks: SignedRequest, now: float) -> RealmPage | None:
        """What the door of a world with a password says; None: it is open."""
        secret = self.rules.secrets.get(world)
        if secret is None:
            return None
        if self._tries.spent(world, asks.address, now):
            wait = ("Retry-After", f"{SECRET_SECONDS:.0f}")
            return _error(429, "Too many shared-secret attempts. Try again later.", wait)
        if asks.metadata.get("secret") == secret:
            self._tries.forget(world, asks.address)
            return None
        self._tries.note(world, asks.address, now)
        return _error(403, f'You are not allowed to access world "{world}".')

    def _about(self) -> RealmPage:
        return self._about_page(
            self.settings.name,
            users=len(self.archipelago.peers),
            adapter=f"archipelago:archipelago:{self._sockets_url}/archipelago/ws",
        )

    def _world_about(self, name: str) -> RealmPage:
        login = f"signed-login:{self._url}/worlds/{name.lower()}/comms"
        return self._about_page(name, users=0, adapter=f"fixed-adapter:{login}", fixedAdapter=login)

    def _about_page(self, name: str, *, users: int, **adapters: str) -> RealmPage:
        healthy = self.rules.healthy
        comms: dict[str, object] = {"healthy": healthy, "protocol": "v3", "usersCount": users, **adapters}
        if self.pulse is not None and self._pulse_at is not None:
            comms["pulse"] = self._pulse_at
        document: dict[str, object] = {
            "healthy": healthy,
            "acceptingUsers": healthy and not self.rules.full,
            "configurations": {"networkId": 1, "realmName": name, "globalScenesUrn": [], "scenesUrn": []},
            "lambdas": {"healthy": healthy, "publicUrl": f"{self._url}/lambdas"},
            "comms": comms,
        }
        return RealmPage(200 if healthy else 503, document)

    def _scene_adapter(self, address: str, metadata: Mapping[str, object]) -> RealmPage:
        realm, scene = metadata.get("realmName"), metadata.get("sceneId")
        if not isinstance(realm, str) or not realm:
            return _error(401, "Access denied, invalid signed-fetch request, no realmName")
        if not isinstance(scene, str) or not scene:
            return _error(400, "Access denied, invalid signed-fetch request, no sceneId")
        world = realm.lower().endswith(".eth")
        if world and realm.lower() in self.rules.secrets:
            # As it is: it can't be told the password.
            return _error(401, "Access denied, you are not authorized to access this world")
        room = f"world-{realm.lower()}-{scene.lower()}" if world else f"scene-{realm}:{scene}"
        return RealmPage(200, {"adapter": self._mint(room, address)})

    def _world_adapter(self, address: str, _metadata: Mapping[str, object], name: str) -> RealmPage:
        return self._fixed_adapter(f"world-{name.lower()}", address)

    def _world_scene_adapter(self, address: str, _metadata: Mapping[str, object], name: str, scene: str) -> RealmPage:
        return self._fixed_adapter(f"world-scene-room-{name}-{scene}".lower(), address)

    def _legacy_adapter(self, address: str, metadata: Mapping[str, object], room: str) -> RealmPage:
        if any(metadata.get(key) != value for key, value in EXPLORER.items()):
            return _error(400, "Invalid metadata")
        return self._fixed_adapter(room.lower(), address)

    def _fixed_adapter(self, room: str, address: str) -> RealmPage:
        if self.rules.full:
            return _error(503, f'World "{room.removeprefix("world-")}" has reached its maximum capacity.')
        return RealmPage(200, {"fixedAdapter": self._mint(room, address)})

    def _bans(self, address: str) -> RealmPage:
        return RealmPage(200, {"data": {"isBanned": address.lower() in self.rules.banned}})

    def _profile(self, address: str) -> RealmPage:
        profile = self.rules.profiles.get(address.lower())
        return _error(404, "Profile not found") if profile is None else RealmPage(200, profile)

    def _profiles(self, body: bytes) -> RealmPage:
        document = json_object(body, self._limits.server_body_bytes, self._limits.nesting)
        ids = None if document is None else document.get("ids")
        if not isinstance(ids, list):
            return _error(400, "No profile ids were specified. Expected ids:string[] in body")
        wanted = dict.fromkeys(one.lower() for one in cast("list[object]", ids)[:_IDS] if isinstance(one, str))
        profiles = self.rules.profiles
        return RealmPage(200, [profiles[address] for address in wanted if address in profiles])

    def _own_room(self, room: str, address: str) -> str:
        del address
        name = _BEYOND_PATHS.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), room)
        return f"ws-room:{self._sockets_url}/realm/rooms/{name}"


def _island(cluster: str) -> str:
    """The island that the real services make of a cluster: the name of its room."""
    return f"island-{cluster}"


def _error(status: int, text: str, *headers: tuple[str, str]) -> RealmPage:
    return RealmPage(status, {"error": text}, headers)
