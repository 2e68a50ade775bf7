"""A universe for WorldSessions: a realm over HTTP, its services' twins, and memory rooms, on one virtual clock.

What must never happen is looked for all the time: two links of one identity to one room, a token that is older than its
life, a request or a socket that nobody asked to go there.
"""

from __future__ import annotations

import json
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from rigs.core.canary import assert_no_secret
from rigs.core.chains import NOW, ROOT, VERIFIER, identity, key
from rigs.core.tokens import make_token
from rigs.core.waits import Watch

from dcl_comms_core import (
    ArchipelagoServer,
    AuthChain,
    Backoff,
    CancelFetch,
    ClockSet,
    CloseDatagrams,
    CloseLink,
    CloseReason,
    CloseSocket,
    DatagramReceived,
    DatagramsClosed,
    DatagramsOpened,
    Fetch,
    Fetched,
    FetchFailed,
    FrameReceived,
    IslandChangedMessage,
    Islands,
    Journal,
    LinkFailed,
    LinkRef,
    LiveKitAdapter,
    MemoryRoom,
    OpenDatagrams,
    OpenLink,
    OpenSocket,
    Place,
    RealmClosed,
    Retry,
    RoomClosed,
    RoomState,
    SendAcknowledged,
    SendDatagram,
    SendFrame,
    ServerPacket,
    SignatureNeeded,
    SimulatorAdapter,
    SocketClosed,
    SocketOpened,
    WorldClosed,
    WorldSession,
    WsRoomAdapter,
    WsRoomServer,
    encode,
)
from dcl_comms_core.servers.pulse import PulseServer
from dcl_comms_core.testing import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core import AuthIdentity, Faults
    from dcl_comms_core.simulation.memory_room import MemoryPort

LATENCY = 0.01
REALM = "https://realm.example"
ISLANDS = "wss://realm.example/ws"
PULSE = "realm.example:7777"
LIVEKIT = "wss://livekit.example"
GATE = "https://realm.example/get-scene-adapter"
LOGIN = f"{REALM}/login"
STEADY = Backoff(initial=1.0, factor=2.0, maximum=8.0, jitter=0.0, attempts=3)
"""Pauses of 1, 2 and 4 seconds."""
LINKED = ("connecting", "open", "reconnecting", "closing")
Answer = tuple[int, dict[str, str], bytes]


def about(adapter: str | None, **more: object) -> Answer:
    """A realm's /about."""
    comms = {"healthy": True, "protocol": "v3", **({} if adapter is None else {"adapter": adapter})}
    return 200, {}, json.dumps({"healthy": True, "comms": comms, **more}).encode()


def said(status: int = 200, headers: dict[str, str] | None = None, **fields: object) -> Answer:
    return status, headers or {}, json.dumps(fields).encode()


class Citizen:
    """One session, and everything that its driver has for it."""

    def __init__(self, universe: Universe, target: Any, who: AuthIdentity | None, **options: Any) -> None:
        self.universe = universe
        self.who = who
        self.name = "0xnobody" if who is None else who.address.lower()
        self.journal: Journal = options.pop("journal", None) or Journal()
        options = {"address": None if who is None else who.address, **options}
        if {"islands", "movement"} & options.keys():
            self.session: Any = WorldSession(target, **options)
        else:
            self.session = self.journal.record(WorldSession, target, **options)
        self.watch = Watch(options.get("limits"), options.get("reconnect"))
        self.told = 0
        """Events since the watch looked last."""
        self.events: list[Any] = []
        self.commands: list[Any] = []
        self.ports: dict[int, MemoryPort] = {}
        self.refs: dict[int, LinkRef] = {}
        self.sockets: dict[LinkRef, tuple[Any, LinkRef]] = {}
        """Ours -> the server, and what it calls it."""
        self.fetching: set[LinkRef] = set()
        self.signs = True
        self.over = False
        """Was there a cause after which nothing may be begun?"""
        self.scene_over = False
        """The same of the scene."""
        self.session.receive(ClockSet(unix_offset=NOW), now=universe.clock.now)

    def take(self, *kinds: type) -> list[Any]:
        """The events since the last look, of these kinds or of all."""
        self.turn()
        events, self.events = self.events, []
        return [event for event in events if not kinds or isinstance(event, kinds)]

    def asked(self, kind: Any) -> list[Any]:
        """All its commands of one kind so far."""
        return [command for command in self.commands if isinstance(command, kind)]

    def call(self, verb: str, *args: Any, **named: Any) -> Any:
        self.scene_over = self.scene_over and verb != "enter_scene"
        try:
            return getattr(self.session, verb)(*args, now=self.universe.clock.now, **named)
        finally:
            self.turn()

    def tell(self, inp: Any) -> None:
        """Something comes in, now."""
        if self.universe.mute:
            return
        self.session.receive(inp, now=self.universe.clock.now)
        self.turn()

    def turn(self) -> None:
        now = self.universe.clock.now
        more = True
        while more:
            more = False
            for port in tuple(self.ports.values()):
                for inp in () if self.universe.mute else port.inputs(now):
                    more = True
                    self.session.receive(inp, now=now)
            for command in self.session.commands():
                more = True
                self.commands.append(command)
                self.check(command)
                self.universe.carry_out(self, command)
            for event in self.session.events():
                more = True
                self.told += 1
                self.events.append(event)
                self.judge(event)
                if isinstance(event, SignatureNeeded) and self.signs and self.who is not None:
                    self.session.provide_signature(event.request, self.who.sign(event.payload), now=now)

    def judge(self, event: Any) -> None:
        """Is this a cause after which nothing may be begun?"""
        assert not (self.over and isinstance(event, WorldClosed) and event.reason is CloseReason.CLIENT)
        if isinstance(event, WorldClosed):
            self.over = True
        elif isinstance(event, RoomClosed | RealmClosed) and event.reason is not CloseReason.CLIENT:
            never = event.retry is Retry.NEVER
            self.scene_over = self.scene_over or (never and event.room == "scene")
            # A movement source's end is never the end of all.
            self.over = self.over or (never and event.room in ("island", "realm"))

    def check(self, command: Any) -> None:
        if isinstance(command, OpenLink | OpenSocket | OpenDatagrams | Fetch):
            assert not self.over, "begun after the end"
            scene = isinstance(command, Fetch) and command.url == GATE
            assert not (scene and self.scene_over), "asked for a scene that is over"

    def deadline(self) -> float | None:
        ports = () if self.universe.mute else self.ports.values()
        times = [port.deadline() for port in ports] + [self.session.deadline()]
        return min((time for time in times if time is not None), default=None)

    def replays(self) -> None:
        """The same calls again give the same commands and events."""
        if isinstance(self.session, WorldSession):
            return  # with a source of ours, which no journal can hold
        text = self.journal.text()
        replay = Journal.read(text).replay()
        assert replay.identical, replay
        if self.who is not None:
            assert_no_secret(self.who.sign("x").links[1].signature, text)

    def inside(self) -> list[str]:
        """The memory rooms that it is in."""
        return sorted(name for name, room in self.universe.rooms.items() if self.name in room.identities)


class Universe:
    """All of it.  ``http`` answers requests by method and URL; what is not there is a 404."""

    def __init__(
        self, *, seed: int = 0, faults: Faults | None = None, ws_rooms: bool = False, pulse: bool = False
    ) -> None:
        self.clock = VirtualClock()
        self.seed = seed
        self.faults = faults
        self.http: dict[tuple[str, str], Answer | Callable[[Fetch], Answer | CloseReason | None]] = {}
        self.rooms: dict[str, MemoryRoom] = {}
        self.citizens: list[Citizen] = []
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.far: dict[LinkRef, tuple[Citizen, LinkRef]] = {}
        self.ws_rooms = ws_rooms
        self.minted: dict[str, float] = {}
        self.banned: set[str] = set()
        self.place = Place.PUBLIC
        self.folds = False
        """Do its services take the older form of signed requests, and only that?"""
        self.pulse: PulseServer | None = None
        """What forms the islands, if it is there, and the realm names it."""
        if pulse:
            self.restart_pulse()
        self.datagrams: dict[tuple[str, int, LinkRef], Citizen] = {}
        """By the address that Pulse sees."""
        self.archipelago = ArchipelagoServer(
            verifier=VERIFIER,
            mint=self.mint,
            banned=lambda address: address in self.banned,
            islands=Islands(),
            assigned=self.assigned if pulse else None,
        )
        self.ws_room = WsRoomServer(verifier=VERIFIER)
        self.down: set[str] = set()
        """Servers that can't be reached: "archipelago", "ws-room", "http", "livekit"; "pulse" swallows what goes there."""
        self.mute = False
        """Does nothing come from outside any more, not even a failure?"""
        for server in (self.archipelago, self.ws_room):
            server.receive(ClockSet(unix_offset=NOW), now=0.0)
        self.http["GET", f"{REALM}/about"] = self.about()

    # --- building

    def restart_pulse(self) -> None:
        """Its process ends without a word, and another one begins."""
        self.count += 1
        self.pulse = PulseServer(verifier=VERIFIER, entropy=self.seed + 1_000 * self.count, bans=self.banned)
        self.pulse.set_clock(NOW)

    def about(self) -> Answer:
        """What the realm says of itself."""
        comms = {"healthy": True, "protocol": "v3", "adapter": f"archipelago:archipelago:{ISLANDS}"}
        named = {} if self.pulse is None else {"pulse": PULSE}
        names = {"realmName": "universe"}
        return 200, {}, json.dumps({"healthy": True, "comms": {**comms, **named}, "configurations": names}).encode()

    def assigned(self, address: str, session: str) -> str | None:
        """The island that Pulse says."""
        found = None if self.pulse is None else self.pulse.assignment(address, session)
        return None if found is None else f"island-{found.cluster}"

    def citizen(self, target: Any = REALM, *, number: int = 1, wallet: bool = True, **options: Any) -> Citizen:
        """A session that is opened."""
        citizen = self.visitor(target, number=number, wallet=wallet, **options)
        citizen.call("open")
        return citizen

    def visitor(self, target: Any = REALM, *, number: int = 1, wallet: bool = True, **options: Any) -> Citizen:
        who = identity(root=ROOT if number == 1 else key(number)) if wallet else None
        citizen = Citizen(self, target, who, **options)
        self.citizens.append(citizen)
        return citizen

    def room(self, name: str) -> MemoryRoom:
        if name not in self.rooms:
            self.rooms[name] = MemoryRoom(name, seed=self.seed + len(self.rooms), faults=self.faults)
        return self.rooms[name]

    @property
    def unix(self) -> float:
        return NOW + self.clock.now

    def mint(self, room: str, address: str, ttl: float = 300.0) -> str:
        """A connection string, as the island service and the gatekeeper give it."""
        if self.ws_rooms:
            return f"ws-room:wss://realm.example/rooms/{room}"
        return f"livekit:{LIVEKIT}?access_token={make_token(room=room, identity=address, now=self.unix, ttl=ttl)}"

    def login(self, room: str, key: str = "fixedAdapter") -> Callable[[Fetch], Answer]:
        """A service that gives a connection string to whoever signed the request."""

        def answer(request: Fetch) -> Answer:
            adapter = self.mint(room, self.signer(request))
            return 200, {}, json.dumps({key: adapter}).encode()

        return answer

    def signer(self, request: Fetch) -> str:
        """Who signed a request, really verified.  InvalidAuthChain: nobody did, in the form that is taken here."""
        headers = dict(request.headers)
        links = [headers[name] for name in sorted(headers) if name.startswith("x-identity-auth-chain-")]
        path = "/" + request.url.partition("://")[2].partition("/")[2].partition("?")[0]
        stamp, metadata = headers["x-identity-timestamp"], headers["x-identity-metadata"]
        payload = f"{request.method}:{path}:".lower() + f"{stamp}:{metadata.lower() if self.folds else metadata}"
        assert 0.0 <= self.unix - int(stamp) / 1000.0 < 60.0
        chain = AuthChain.from_json("[" + ",".join(links) + "]")
        return chain.validate(payload, unix_now=self.unix, verifier=VERIFIER)

    # --- time

    def later(self, what: Callable[[], None], seconds: float = LATENCY) -> None:
        self.count += 1
        heappush(self.due, (self.clock.now + seconds, self.count, what))

    def servers(self) -> list[Any]:
        return [self.archipelago, self.ws_room]

    def turn(self) -> None:
        for citizen in self.citizens:
            citizen.turn()
        self.turn_pulse()
        for server in self.servers():
            for command in server.commands():
                self.from_server(command)
        self.look()

    def turn_pulse(self) -> None:
        pulse = self.pulse
        if pulse is None:
            return
        for change in pulse.events():
            self.archipelago.assign(change.wallet, change.session, f"island-{change.cluster}")
        for address, datagram in pulse.datagrams(now=self.clock.now):
            if "pulse" not in self.down:
                self.later(lambda address=address, data=datagram: self.from_pulse(address, data))

    def from_pulse(self, address: Any, data: bytes) -> None:
        citizen = self.datagrams.get(address)
        if citizen is not None:
            citizen.tell(DatagramReceived(link=address[2], data=data))

    def to_pulse(self, citizen: Citizen, command: Any) -> None:
        link, pulse = command.link, self.pulse
        address = (citizen.name, self.citizens.index(citizen), link)
        if isinstance(command, SendDatagram):
            assert self.datagrams[address] is citizen
            if pulse is not None and "pulse" not in self.down:
                self.later(lambda: pulse.receive(command.data, address, now=self.clock.now))
        elif isinstance(command, OpenDatagrams):
            assert address not in self.datagrams
            self.datagrams[address] = citizen
            self.later(lambda: citizen.tell(DatagramsOpened(link=link)))
        else:
            self.datagrams.pop(address, None)
            self.later(lambda: citizen.tell(DatagramsClosed(link=link, reason=CloseReason.CLIENT)))

    def run(self, seconds: float) -> None:
        end = self.clock.now + seconds
        last, count = -1.0, 0
        while True:
            self.turn()
            count = count + 1 if self.clock.now == last else 0
            last = self.clock.now
            assert count < 1_000, "time stands still"
            times = [time for citizen in self.citizens if (time := citizen.deadline()) is not None]
            pulses = [] if self.pulse is None else [self.pulse]
            times += [time for server in (*self.servers(), *pulses) if (time := server.deadline()) is not None]
            times += [self.due[0][0]] if self.due else []
            when = min(times, default=end)
            if when > end:
                break
            self.clock.advance_to(when)
            now = self.clock.now
            while self.due and self.due[0][0] <= now:
                heappop(self.due)[2]()
            for server in (*self.servers(), *pulses):
                server.handle_timeout(now)
            for citizen in self.citizens:
                if (deadline := citizen.session.deadline()) is not None and deadline <= now:
                    citizen.session.handle_timeout(now)
            if not times:
                break
        self.clock.advance_to(end)
        self.turn()

    # --- what must never happen

    def look(self) -> None:
        for citizen in self.citizens:
            assert citizen.session.commands() == citizen.session.events() == []
            citizen.watch.look(citizen.session, self.clock.now, news=citizen.told > 0)
            citizen.told = 0
            deadline = citizen.session.deadline()
            assert (deadline is None) == (citizen.session.deadline_reason is None) or deadline is not None
            if citizen.session.state.value == "closed":
                assert deadline is None
            assert deadline is None or deadline >= self.clock.now, "a timer that was passed over"
            rooms = citizen.session.rooms.values()
            places = [seat(room.adapter) for room in rooms if room.state.value in LINKED]
            assert len(places) == len(set(places)), places

    # --- drivers

    def carry_out(self, citizen: Citizen, command: Any) -> None:
        match command:
            case Fetch():
                citizen.fetching.add(command.link)
                self.later(lambda: self.answer(citizen, command))
            case CancelFetch(link=link):
                assert link in citizen.fetching
                citizen.fetching.discard(link)
            case OpenSocket():
                self.dial(citizen, command)
            case SendFrame(link=link, data=data, token=token):
                self.later(lambda: citizen.tell(SendAcknowledged(link=link, token=token)))
                if link in citizen.sockets:
                    server, far = citizen.sockets[link]
                    self.later(lambda: server.receive(FrameReceived(link=far, data=data), now=self.clock.now))
            case CloseSocket(link=link):
                self.hang_up(citizen, link, CloseReason.CLIENT, 1000)
            case OpenDatagrams() | SendDatagram() | CloseDatagrams():
                self.to_pulse(citizen, command)
            case _:
                self.to_room(citizen, command)

    def answer(self, citizen: Citizen, request: Fetch) -> None:
        if self.mute or request.link not in citizen.fetching:
            return
        known = self.http.get((request.method, request.url), (404, {}, b""))
        answer = known(request) if callable(known) else known
        if "http" in self.down:
            answer = CloseReason.UNREACHABLE
        if answer is None:
            return
        citizen.fetching.discard(request.link)
        if isinstance(answer, CloseReason):
            citizen.tell(FetchFailed(link=request.link, reason=answer, detail="as the test says"))
            return
        status, headers, body = answer
        pairs = tuple(headers.items())
        place = self.place
        citizen.tell(Fetched(link=request.link, status=status, headers=pairs, body=body, url=request.url, place=place))

    def dial(self, citizen: Citizen, command: OpenSocket) -> None:
        server = self.ws_room if "/rooms/" in command.url else self.archipelago
        name = "ws-room" if server is self.ws_room else "archipelago"
        link = command.link
        if name in self.down:
            self.later(lambda: citizen.tell(SocketClosed(link=link, reason=CloseReason.UNREACHABLE)))
            return
        self.count += 1
        far = LinkRef(self.count, 1)
        self.far[far] = citizen, link
        citizen.sockets[link] = server, far
        now = self.clock.now
        if isinstance(server, WsRoomServer):
            server.accept(far, command.url.rpartition("/")[2], now=now)
        else:
            server.accept(far, now=now)
        self.later(lambda: citizen.tell(SocketOpened(link=link, place=self.place)))

    def hang_up(self, citizen: Citizen, link: LinkRef, reason: CloseReason, code: int) -> None:
        """A socket ends, from our end or in the middle."""
        known = citizen.sockets.pop(link, None)
        if known is not None:
            server, far = known
            del self.far[far]
            gone = SocketClosed(link=far, reason=CloseReason.NETWORK)
            self.later(lambda: server.receive(gone, now=self.clock.now))
        self.later(lambda: citizen.tell(SocketClosed(link=link, reason=reason, code=code)))

    def cut(self, citizen: Citizen) -> None:
        """The network drops all its sockets."""
        for link in tuple(citizen.sockets):
            self.hang_up(citizen, link, CloseReason.NETWORK, 1006)

    def from_server(self, command: Any) -> None:
        known = self.far.get(command.link)
        if known is None:
            return
        citizen, link = known
        if isinstance(command, SendFrame):
            self.later(lambda: citizen.tell(FrameReceived(link=link, data=command.data)))
        else:
            del self.far[command.link]
            del citizen.sockets[link]
            self.later(lambda: citizen.tell(SocketClosed(link=link, reason=CloseReason.NETWORK, code=1005)))

    def to_room(self, citizen: Citizen, command: Any) -> None:
        number = command.link.link
        now = self.clock.now
        if isinstance(command, OpenLink):
            adapter = command.adapter
            if isinstance(adapter, LiveKitAdapter):
                name = adapter.token.room
                expires = adapter.token.expires_at
                assert expires is not None
                assert expires > self.unix, "a token older than its life"
            else:
                assert isinstance(adapter, SimulatorAdapter)
                name = adapter.detail
            if "livekit" in self.down:
                ref = command.link
                self.later(lambda: citizen.tell(LinkFailed(link=ref, reason=CloseReason.UNREACHABLE)))
                return
            room = self.room(name)
            ours = [port for port in citizen.ports.values() if port.member is not None and port.room is room]
            assert ours == [], "two links to one room"
            citizen.ports[number] = room.port(citizen.name)
        if number in citizen.ports:
            citizen.ports[number].execute(command, now=now)
        else:
            assert isinstance(command, CloseLink)


def seat(adapter: Any) -> tuple[str, str]:
    """What one identity may have once."""
    if isinstance(adapter, WsRoomAdapter):
        return adapter.url.partition("/rooms/")[0], ""
    if isinstance(adapter, LiveKitAdapter):
        return adapter.url, adapter.token.room
    return adapter.to_connection_string(), ""


def settled(here: Universe, **options: Any) -> Citizen:
    """Somebody on an island."""
    citizen = here.citizen(**{"reconnect": STEADY, **options})
    here.run(4.0)
    assert citizen.session.state is RoomState.OPEN
    citizen.take()
    return citizen


def in_a_world(here: Universe, **options: Any) -> Citizen:
    """Somebody in a world's room."""
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
    here.http["POST", LOGIN] = here.login("world")
    return settled(here, **options)


def news(citizen: Citizen, island: str, connection: str) -> None:
    """The island service says something of its own invention."""
    (link,) = citizen.sockets
    message = ServerPacket(island_changed=IslandChangedMessage(island, connection))
    citizen.tell(FrameReceived(link=link, data=encode(message)))


def end(citizen: Citizen) -> tuple[CloseReason, Retry]:
    """Why it is over; nothing comes after that, and a replay says the same."""
    *_, last = citizen.take()
    assert isinstance(last, WorldClosed)
    assert citizen.session.state is RoomState.CLOSED
    assert citizen.session.deadline() is None
    citizen.replays()
    return last.reason, last.retry
