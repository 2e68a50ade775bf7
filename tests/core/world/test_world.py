"""WorldSession: from a realm's URL into the right rooms, over a universe of twins and memory rooms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rigs.core.chains import NOW, ROOT
from rigs.core.tokens import make_token
from rigs.core.world import GATE, REALM, STEADY, Citizen, Universe, about, end, in_a_world, said

from dcl_comms_core import (
    Backoff,
    CancelFetch,
    ChallengeGuard,
    ChatReceived,
    ClientPacket,
    ClockSet,
    CloseReason,
    Fetch,
    Fetched,
    InvalidConnectionString,
    IslandChanged,
    Limits,
    LocalProtocolError,
    NotInARoom,
    OpenLink,
    OpenSocket,
    PacketTooLarge,
    PeerId,
    PeerJoined,
    Place,
    RealmOpened,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    SendFrame,
    SimulatorAdapter,
    SocketClosed,
    Timer,
    WarningCode,
    WorldClosed,
    WorldSession,
    decode_message,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.testing import MemoryIslands


def opened(citizen: Citizen) -> list[str]:
    return [event.room for event in citizen.take(RoomOpened)]


def test_from_a_realms_url_to_an_island_and_to_each_other() -> None:
    here = Universe()
    alice, bob = here.citizen(), here.citizen(number=2)
    here.run(5.0)
    assert [type(event) for event in alice.take(RealmOpened, IslandChanged, RoomOpened, PeerJoined)] == [
        RealmOpened,
        IslandChanged,
        RoomOpened,
        PeerJoined,
    ]
    assert alice.session.state is RoomState.OPEN
    assert alice.inside() == bob.inside() == ["I1"]
    alice.session.chat("hello")
    here.run(0.5)
    assert [event.text for event in bob.take(ChatReceived)] == ["hello"]


def test_a_walk_leads_from_island_to_island_the_new_room_first() -> None:
    here = Universe()
    alice, bob = here.citizen(), here.citizen(number=2, position=(300.0, 0.0, 0.0))
    here.run(4.0)
    assert (alice.inside(), bob.inside()) == (["I1"], ["I2"])
    bob.take()
    bob.call("move", (50.0, 0.0, 0.0))
    here.run(5.0)
    assert bob.inside() == ["I1"]
    assert [type(event) for event in bob.take(IslandChanged, RoomOpened, RoomClosed)] == [
        IslandChanged,
        RoomOpened,
        RoomClosed,
    ]
    assert bob.session.state is RoomState.OPEN


def test_a_world_asks_for_a_signature_and_gives_a_room() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(f"fixed-adapter:signed-login:{REALM}/worlds/x/comms")
    here.http["POST", f"{REALM}/worlds/x/comms"] = here.login("world-x")
    alice = here.citizen()
    here.run(1.0)
    assert alice.inside() == ["world-x"]


def test_a_scenes_room_at_the_same_time() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene-1", key="adapter")
    alice = here.citizen(gatekeeper=GATE)
    alice.call("enter_scene", "bafk", (1, 2))
    here.run(5.0)
    assert alice.inside() == ["I1", "scene-1"]
    alice.call("leave_scene")
    here.run(1.0)
    assert alice.inside() == ["I1"]


def test_islands_may_be_ws_rooms() -> None:
    here = Universe(ws_rooms=True)
    alice, bob = here.citizen(), here.citizen(number=2)
    here.run(6.0)
    assert here.ws_room.rooms == {"I1": (alice.name, bob.name)}
    alice.session.chat("hello")
    here.run(0.5)
    assert [event.text for event in bob.take(ChatReceived)] == ["hello"]


def test_a_lost_room_is_entered_again_with_fresh_credentials() -> None:
    here = Universe()
    alice = here.citizen(reconnect=STEADY)
    here.run(4.0)
    here.rooms["I1"].delete(now=here.clock.now)
    here.run(8.0)
    # The island service forgot us for a moment.
    assert alice.inside() == ["I2"]
    assert alice.session.state is RoomState.OPEN


def test_closing_ends_everything() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene-1", key="adapter")
    alice = here.citizen(gatekeeper=GATE)
    alice.call("enter_scene", "bafk", (1, 2))
    here.run(5.0)
    alice.take()
    alice.call("close")
    here.run(10.0)
    assert alice.inside() == []
    events = alice.take()
    assert isinstance(events[-1], WorldClosed)
    assert events[-1].reason is CloseReason.CLIENT
    assert alice.session.state is RoomState.CLOSED
    assert alice.session.deadline() is None


@pytest.mark.parametrize(
    "adapter",
    [f"archipelago:{REALM.replace('https', 'wss')}/ws", f"signed-login:{REALM}/login", "ws-room:realm.example/rooms/x"],
)
@pytest.mark.parametrize("direct", [False, True])
def test_what_needs_a_wallet_says_so(adapter: str, direct: bool) -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(adapter)
    nobody = here.citizen(adapter if direct else REALM, wallet=False)
    here.run(1.0)
    assert end(nobody) == (CloseReason.NO_WALLET, Retry.NEVER)


@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (said(403, error="User is banned from this scene"), CloseReason.BANNED, Retry.NEVER),
        (said(401, error="no access"), CloseReason.DENIED, Retry.NEVER),
        (said(200, message="no access"), CloseReason.DENIED, Retry.NEVER),
        (said(401, error="Expired signature"), CloseReason.CLOCK, Retry.FRESH_CREDENTIALS),
        (said(404), CloseReason.NOT_FOUND, Retry.NEVER),
        (said(418), CloseReason.BAD_REQUEST, Retry.NEVER),
        (said(429, {"retry-after": "60"}), CloseReason.THROTTLED, Retry.BACKOFF),
        (said(503, error="the world is full"), CloseReason.ROOM_FULL, Retry.BACKOFF),
        (said(503), CloseReason.UNREACHABLE, Retry.BACKOFF),
        ((200, {}, b"garbage"), CloseReason.PROTOCOL, Retry.BACKOFF),
        (said(fixedAdapter=f"signed-login:{REALM}/login"), CloseReason.PROTOCOL, Retry.NEVER),
    ],
)
def test_why_there_is_no_connection_string(answer: Any, reason: CloseReason, retry: Retry) -> None:
    here = Universe()
    here.http["POST", f"{REALM}/login"] = answer
    alice = here.citizen(f"signed-login:{REALM}/login", reconnect=STEADY)
    here.run(1.0)
    assert end(alice) == (reason, retry)


# --- every kind of target


@pytest.mark.parametrize("target", ["simulator:plaza", SimulatorAdapter("plaza")])
def test_a_room_of_which_we_know_where_it_is(target: Any) -> None:
    here = Universe()
    nobody = here.citizen(target, wallet=False)
    here.run(1.0)
    assert nobody.inside() == ["plaza"]
    assert nobody.session.identity == PeerId(nobody.name)
    nobody.call("close")
    here.run(1.0)
    nobody.replays()


def test_a_connection_string_with_a_token() -> None:
    here = Universe()
    nobody = here.citizen(here.mint("I7", "0xnobody"), wallet=False)
    here.run(1.0)
    assert nobody.inside() == ["I7"]


def test_a_direct_room_is_joined_again_as_often_as_the_policy_says() -> None:
    here = Universe()
    alice = here.citizen("simulator:plaza", reconnect=Backoff(jitter=0.0, attempts=6))
    here.run(1.0)
    here.rooms["plaza"].shut_down(now=here.clock.now)
    here.run(40.0)
    assert [event.attempt for event in alice.take(Reconnecting) if event.room == "island"][:6] == [1, 2, 3, 4, 5, 6]
    here.rooms["plaza"].restart()
    here.run(60.0)
    assert alice.inside() == ["plaza"]


@pytest.mark.parametrize("direct", [False, True])
def test_an_island_service_by_its_own_address(direct: bool) -> None:
    here = Universe()
    if not direct:
        here.http["GET", f"{REALM}/about"] = about(None)
    alice = here.citizen("archipelago:wss://realm.example/ws" if direct else f" {REALM}/about/ ")
    here.run(5.0)
    assert alice.inside() == ["I1"]
    assert (alice.session.realm is None) == direct
    assert alice.session.island.island == "I1"
    sockets = alice.asked(OpenSocket)
    assert [(socket.url, socket.within) for socket in sockets] == [
        ("wss://realm.example/ws", None) if direct else ("wss://realm.example/archipelago/ws", Place.PUBLIC)
    ]


def test_a_ws_room_by_its_own_address() -> None:
    here = Universe()
    alice = here.citizen("ws-room:wss://realm.example/rooms/plaza")
    here.run(1.0)
    assert here.ws_room.rooms == {"plaza": (alice.name,)}
    alice.call("close")
    here.run(1.0)
    assert end(alice) == (CloseReason.CLIENT, Retry.NEVER)
    alice.replays()


def test_a_realm_without_comms_is_open_and_empty() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about("fixed-adapter:offline:offline")
    here.http["POST", GATE] = here.login("scene-1", key="adapter")
    alice = here.citizen(gatekeeper=GATE)
    here.run(1.0)
    assert alice.session.state is RoomState.OPEN
    assert [event.code for event in alice.take(WarningEvent)] == [WarningCode.OFFLINE]
    with pytest.raises(NotInARoom, match="no island's room is open, and none is known to come"):
        alice.session.chat("hello")
    alice.call("enter_scene", "bafk", (0, 0))
    here.run(1.0)
    assert alice.inside() == ["scene-1"]


def test_islands_from_another_source() -> None:
    here = Universe()
    alice = here.citizen("archipelago:h", wallet=False, islands=lambda _adapter, _link: MemoryIslands(size=10.0))
    here.run(1.0)
    alice.call("set_position", (25.0, 0.0, 0.0))
    here.run(1.0)
    assert alice.inside() == ["I2,0"]
    assert alice.session.deadline_reason is None or alice.session.deadline() is not None
    alice.call("close")
    here.run(1.0)
    assert end(alice) == (CloseReason.CLIENT, Retry.NEVER)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ws://10.0.0.1",
            "wss://10.0.0.1",
            "wss://127.0.0.1",
            "wss://localhost",
            "wss://router.lan",
            "wss://[::1]:7880",
        ),
        # In the clear, wherever it is: its token would be read on the way.
        *("ws://8.8.8.8", "ws://livekit.evil.example", "ws://livekit.evil.example:7880"),
    ],
)
def test_a_room_that_a_public_realm_may_not_name(url: str) -> None:
    here = Universe()
    token = make_token(now=here.unix)
    here.http["GET", f"{REALM}/about"] = about(f"livekit:{url}?access_token={token}")
    alice = here.citizen()
    here.run(1.0)
    assert end(alice) == (CloseReason.FORBIDDEN, Retry.NEVER)
    assert alice.asked(OpenLink) == []


@pytest.mark.parametrize(
    ("url", "place", "plain"),
    [
        ("wss://10.0.0.1", Place.PRIVATE, False),
        ("ws://10.0.0.1", Place.PRIVATE, True),
        ("ws://127.0.0.1:7880", Place.LOOPBACK, False),
        ("ws://livekit.example", Place.PUBLIC, True),
        # What it resolves to is judged by who resolves it.
        ("wss://router", Place.PUBLIC, False),
        ("ws://livekit", Place.LOOPBACK, False),
    ],
)
def test_a_room_that_a_realm_may_name_is_opened_within_where_the_realm_is(url: str, place: Place, plain: bool) -> None:
    here = Universe()
    here.place = place
    here.http["GET", f"{REALM}/about"] = about(f"livekit:{url}?access_token={make_token(now=here.unix)}")
    alice = here.citizen(plain=plain)
    here.run(0.1)
    (command,) = alice.asked(OpenLink)
    assert command.within is place


def test_a_room_that_the_user_names_is_within_nothing() -> None:
    here = Universe()
    alice = here.citizen(f"livekit:wss://10.0.0.1?access_token={make_token(now=here.unix)}")
    here.run(0.1)
    assert [command.within for command in alice.asked(OpenLink)] == [None]


def test_the_way_is_asked_for_with_the_wallets_word() -> None:
    here = Universe()
    seen: list[dict[str, Any]] = []

    def answer(request: Fetch) -> Any:
        here.signer(request)
        seen.append(json.loads(dict(request.headers)["x-identity-metadata"]))
        return said(fixedAdapter="simulator:w")

    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{REALM}/login")
    here.http["POST", f"{REALM}/login"] = answer
    alice = here.citizen(is_guest=True)
    here.run(1.0)
    assert alice.inside() == ["w"]
    assert seen == [{"intent": "dcl:explorer:comms-handshake", "signer": "dcl:explorer", "isGuest": True}]
    assert [fetch.within for fetch in alice.asked(Fetch)] == [None, Place.PUBLIC]


# --- why there is none


@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (CloseReason.UNREACHABLE, CloseReason.UNREACHABLE, Retry.BACKOFF),
        (CloseReason.FORBIDDEN, CloseReason.FORBIDDEN, Retry.NEVER),
        ((503, {}, b""), CloseReason.UNREACHABLE, Retry.BACKOFF),
        ((404, {}, b"<html>"), CloseReason.NOT_FOUND, Retry.NEVER),
        ((200, {}, b"\xff\x00"), CloseReason.PROTOCOL, Retry.BACKOFF),
        (said(comms={"protocol": "v2"}), CloseReason.PROTOCOL, Retry.NEVER),
        (about("nonsense:x"), CloseReason.PROTOCOL, Retry.BACKOFF),
        (about(f"signed-login:{REALM}/a/../b"), CloseReason.PROTOCOL, Retry.NEVER),
        (about("signed-login:https://elsewhere.example/x"), CloseReason.SIGNING_REFUSED, Retry.NEVER),
        (about("archipelago:wss://elsewhere.example/ws"), CloseReason.SIGNING_REFUSED, Retry.NEVER),
        (about("ws-room:elsewhere.example/rooms/x"), CloseReason.SIGNING_REFUSED, Retry.NEVER),
    ],
)
def test_why_a_realm_leads_nowhere(answer: Any, reason: CloseReason, retry: Retry) -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = (lambda _request: answer) if isinstance(answer, CloseReason) else answer
    alice = here.citizen(reconnect=STEADY)
    here.run(1.0)
    assert end(alice) == (reason, retry)
    alice.replays()


def test_no_answer_at_all() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = lambda _request: None
    alice = here.citizen()
    assert (alice.session.deadline(), alice.session.deadline_reason) == (20.0, Timer.REQUEST)
    here.run(21.0)
    assert end(alice) == (CloseReason.TIMEOUT, Retry.BACKOFF)
    assert len(alice.asked(CancelFetch)) == 1
    alice.tell(Fetched(link=alice.asked(Fetch)[0].link, status=200, headers=(), body=b"", url="", place=Place.PUBLIC))
    assert alice.session.counters["late"] == 1
    assert alice.take() == []


def test_a_realm_that_keeps_us_waiting() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = lambda _request: None
    alice = here.citizen(limits=Limits(request_seconds=500.0, enter_seconds=30.0))
    assert (alice.session.deadline(), alice.session.deadline_reason) == (30.0, Timer.ENTER)
    here.run(31.0)
    assert end(alice) == (CloseReason.TIMEOUT, Retry.BACKOFF)
    assert len(alice.asked(CancelFetch)) == 1
    alice.replays()


def test_who_was_in_once_is_not_hurried() -> None:
    here = Universe()
    alice = here.citizen(limits=Limits(enter_seconds=30.0))
    here.run(40.0)
    assert alice.session.state is RoomState.OPEN


# --- misuse


@pytest.mark.parametrize("target", ["", "x", "ftp://h", "https://", "https://u:p@h", "livekit:wss://h", " "])
def test_a_target_that_leads_nowhere(target: str) -> None:
    with pytest.raises(InvalidConnectionString):
        WorldSession(target)


@pytest.mark.parametrize(
    "options",
    [
        {"position": (float("nan"), 0.0, 0.0)},
        {"position": (1e39, 0.0, 0.0)},
        {"address": "0x1"},
        {"profile_version": -1},
    ],
)
def test_options_that_make_no_sense(options: Any) -> None:
    with pytest.raises(LocalProtocolError):
        WorldSession(REALM, **options)


def test_misuse() -> None:
    with pytest.raises(LocalProtocolError, match="a realm's URL, a connection string or an Adapter, not int"):
        WorldSession(5)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InvalidConnectionString):
        WorldSession(REALM, gatekeeper="nowhere")
    session = WorldSession(REALM, address=ROOT.address)
    with pytest.raises(LocalProtocolError, match="wall clock"):
        session.open(now=0.0)
    session.receive(ClockSet(unix_offset=NOW), now=0.0)
    with pytest.raises(LocalProtocolError, match="finite"):
        session.open(now=float("inf"))
    with pytest.raises(LocalProtocolError, match="between open"):
        session.enter_scene("x", (0, 0))
    session.open(now=0.0)
    with pytest.raises(LocalProtocolError, match="make a new WorldSession"):
        session.open(now=0.0)
    (fetch,) = session.commands()
    with pytest.raises(LocalProtocolError, match="Fetched or FetchFailed, not SocketClosed"):
        session.receive(SocketClosed(link=fetch.link, reason=CloseReason.NETWORK), now=0.0)
    with pytest.raises(LocalProtocolError, match="inputs"):
        session.receive("nonsense", now=0.0)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(LocalProtocolError, match="finite"):
        session.close(drain=float("nan"))
    session.close(now=0.0)
    with pytest.raises(LocalProtocolError, match="move before"):
        session.move((0.0, 0.0, 0.0))
    with pytest.raises(LocalProtocolError, match="between open"):
        session.enter_scene("x", (0, 0))
    session.close(now=0.0)
    session.set_position((1.0, 2.0, 3.0))
    assert session.position == (1.0, 2.0, 3.0)


def test_closing_before_it_began() -> None:
    session = WorldSession(REALM)
    session.close(now=1.0)
    (closed,) = session.events()
    assert (type(closed), closed.reason, session.state) == (WorldClosed, CloseReason.CLIENT, RoomState.CLOSED)
    session.close(now=1.0)
    assert session.events() == []


class Talkative(MemoryIslands):
    """It has news to the very end."""

    def close(self, *, now: float | None = None) -> None:
        self.set_position((900.0, 0.0, 0.0), now=now)
        super().close(now=now)


def test_an_island_that_comes_too_late() -> None:
    here = Universe()
    alice = here.citizen("archipelago:h", wallet=False, islands=lambda _adapter, _link: Talkative())
    here.run(1.0)
    alice.call("close")
    here.run(1.0)
    assert len(alice.asked(OpenLink)) == 1
    assert end(alice) == (CloseReason.CLIENT, Retry.NEVER)


def test_an_island_service_needs_no_wall_clock() -> None:
    session = WorldSession("archipelago:realm.example/ws", address=ROOT.address)
    session.open(now=0.0)
    assert [type(command) for command in session.commands()] == [OpenSocket]


def test_who_signs_where_may_be_told() -> None:
    here = Universe()
    alice = here.citizen(guard=ChallengeGuard(["other.example"]))
    here.run(1.0)
    assert end(alice) == (CloseReason.SIGNING_REFUSED, Retry.NEVER)


# --- which island we would rather be on


def heartbeats(citizen: Citizen) -> list[str | None]:
    """Which island the last one wished for, and those before."""
    frames = [decode_message(ClientPacket, command.data) for command in citizen.asked(SendFrame)]
    return [frame.heartbeat.desired_room for frame in frames if frame.heartbeat is not None]


def test_an_island_is_preferred_before_there_is_a_service_and_after() -> None:
    here = Universe()
    alice = here.visitor(reconnect=STEADY)
    alice.call("set_desired_room", "I9")
    with pytest.raises(PacketTooLarge):
        alice.call("set_desired_room", "I" * 16_384)
    alice.call("open")
    here.run(5.0)
    assert set(heartbeats(alice)) == {"I9"}
    alice.call("set_desired_room", None)
    here.run(2.0)
    assert heartbeats(alice)[-1] is None
    alice.replays()


def test_a_world_without_islands_takes_the_wish_all_the_same() -> None:
    here = Universe()
    alice = in_a_world(here)
    alice.call("set_desired_room", "I9")
    here.run(5.0)
    assert alice.session.state is RoomState.OPEN
