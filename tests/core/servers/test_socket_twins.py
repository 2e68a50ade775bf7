"""Sessions against the servers' twins: real logins, real frames, a virtual clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rigs.core.chains import NOW, OTHER, ROOT, VERIFIER, identity, key
from rigs.core.socket_pipe import Pipe
from rigs.core.sockets import GUARD, ME, REALM, WS_ROOM, RealmRig, RoomRig

from dcl_comms_core import (
    ArchipelagoServer,
    ArchipelagoSession,
    AuthIdentity,
    Backoff,
    ChatReceived,
    CloseReason,
    IslandChanged,
    Islands,
    Kicked,
    PeerId,
    PeerJoined,
    PeerLeft,
    RealmClosed,
    RealmOpened,
    Reconnected,
    Reconnecting,
    RoomClosed,
    RoomOpened,
    Vector3,
    WarningCode,
    WsRoomAdapter,
    WsRoomServer,
    WsRoomSession,
)
from dcl_comms_core.events import Warning as WarningEvent

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/authchain.json").read_text())["cases"]
SOON = Backoff(initial=1.0, factor=2.0, jitter=0.0, attempts=3)


def mint(island: str, address: str) -> str | None:
    return f"ws-room:realm.example/rooms/{island}-{address[-4:]}"


def realm(**options: Any) -> Pipe:
    return Pipe(ArchipelagoServer(verifier=VERIFIER, mint=options.pop("mint", mint), **options))


def rooms(**options: Any) -> Pipe:
    return Pipe(WsRoomServer(verifier=VERIFIER, **options))


def walker(pipe: Pipe, number: int = 1, at: tuple[float, float, float] | None = None, **options: Any) -> Any:
    who = identity(root=key(number))
    options = {"reconnect": SOON, **options}
    party = pipe.join(ArchipelagoSession(REALM, address=who.address, guard=GUARD, **options), who)
    if at is not None:
        party.session.set_position(at)
    return party


def guest(pipe: Pipe, number: int = 1, adapter: WsRoomAdapter = WS_ROOM, **options: Any) -> Any:
    who = identity(root=key(number))
    return pipe.join(WsRoomSession(adapter, address=who.address, guard=GUARD, **options), who)


def islands(*parties: Any) -> list[str]:
    return [party.session.island.island for party in parties]


# --- golden handshakes


@pytest.mark.parametrize(
    "case", [c for c in VECTORS if c["kind"] == "challenge" and "auth_chain" in c], ids=lambda c: c["id"]
)
@pytest.mark.parametrize("rig", [RealmRig, RoomRig])
def test_a_golden_handshake(case: dict[str, Any], rig: Any) -> None:
    root, ephemeral = key(case["root_private_key"]), key(case["ephemeral_private_key"])
    address = case["auth_chain"][0]["payload"]
    expires = case["expiration_ms"] / 1000.0
    signature = case["ephemeral_message_signature"]
    me = AuthIdentity.from_signature(address, signature, expires=expires, signer=ephemeral)
    assert root.address.lower() == address.lower()
    side = rig(address=address)
    side.open()
    side.connected()
    side.challenge(case["challenge_to_sign"])
    if not case["challenge_to_sign"].startswith("dcl-"):
        assert side.hung_up
        return
    side.session.provide_signature(1, me.sign(case["challenge_to_sign"]))
    *_, proof = side.take_frames()
    message = proof.signed_challenge if rig is RealmRig else proof.signed_challenge_for_server
    assert json.loads(message.auth_chain_json) == case["auth_chain"]
    assert message.auth_chain_json == json.dumps(case["auth_chain"], separators=(",", ":"), ensure_ascii=False)


# --- the island service


def test_two_wallets_walk_together_and_apart() -> None:
    pipe = realm()
    alice = walker(pipe, 1, (0.0, 0.0, 0.0))
    bob = walker(pipe, 2, (300.0, 0.0, 0.0))
    pipe.run(3.0)
    opened, here = alice.take(RealmOpened, IslandChanged)
    assert opened.identity == PeerId(alice.who.address)
    assert here.peers == ((opened.identity, Vector3(0.0, 0.0, 0.0)),)
    assert here.adapter == WsRoomAdapter(f"realm.example/rooms/I1-{alice.who.address[-4:].lower()}")
    assert islands(alice, bob) == ["I1", "I2"]
    bob.take()
    # 64 m is near, on the ground; height is no distance.
    bob.session.set_position((64.0, 9_000.0, 0.0))
    pipe.run(4.0)
    (moved,) = bob.take(IslandChanged)
    assert (moved.island, moved.previous, len(moved.peers)) == ("I1", "I2", 2)
    # Who stays is told nothing.
    assert alice.take() == []
    bob.session.set_position((80.0, 0.0, 0.0))
    pipe.run(4.0)
    assert (alice.take(), bob.take()) == ([], [])
    bob.session.set_position((80.1, 0.0, 0.0))
    pipe.run(4.0)
    (apart,) = bob.take(IslandChanged)
    assert (apart.island, apart.previous) == ("I3", "I1")


def test_the_first_island_may_come_from_one_that_was_never_told() -> None:
    pipe = realm()
    alice, bob = walker(pipe, 1, (0.0, 0.0, 0.0)), walker(pipe, 2, (1.0, 0.0, 0.0))
    pipe.run(3.0)
    assert islands(alice, bob) == ["I1", "I1"]
    # The server says that Bob was on I2; he was never told, so nor is the application.
    assert [event.previous for event in bob.take(IslandChanged)] == [None]


def test_a_second_login_ends_the_first() -> None:
    pipe = realm()
    first = walker(pipe, 1, (0.0, 0.0, 0.0))
    pipe.run(3.0)
    first.take()
    second = walker(pipe, 1, (0.0, 0.0, 0.0))
    pipe.run(3.0)
    kicked, end = first.take()
    assert (kicked.cause, end.reason) == (CloseReason.DUPLICATE_IDENTITY, CloseReason.DUPLICATE_IDENTITY)
    assert [event.code for event in second.take(WarningEvent)] == [WarningCode.ALREADY_CONNECTED]
    assert islands(second) == ["I2"]
    pipe.run(100.0)
    assert first.take() == []
    assert pipe.server.counters["kicked"] == 1


def test_a_ban_before_and_after() -> None:
    banned: set[str] = set()
    pipe = realm(banned=banned.__contains__)
    assert isinstance(pipe.server, ArchipelagoServer)
    alice = walker(pipe, 1, (0.0, 0.0, 0.0))
    pipe.run(3.0)
    assert pipe.server.peers == (alice.who.address.lower(),)
    banned.add(alice.who.address.lower())
    assert pipe.server.kick(alice.who.address, now=pipe.now)
    assert not pipe.server.kick(OTHER.address, now=pipe.now)
    pipe.run(3.0)
    assert alice.take(RealmClosed)[0].reason is CloseReason.DUPLICATE_IDENTITY
    again = walker(pipe, 1)
    pipe.run(3.0)
    assert [type(event) for event in again.take(Kicked, RealmClosed)] == [Kicked, RealmClosed]
    assert again.session.state.value == "closed"
    assert (pipe.server.peers, len(pipe.server.islands)) == ((), 0)


def test_silence_is_forgotten_in_silence() -> None:
    pipe = realm()
    alice = walker(pipe, 1, (0.0, 0.0, 0.0), heartbeat=61.5)
    pipe.run(61.0)
    assert islands(alice) == ["I1"]
    alice.take()
    pipe.run(10.0)
    (island,) = alice.take()
    assert (island.island, island.previous) == ("I2", "I1")


def test_who_gets_no_token_is_told_nothing_and_waits() -> None:
    pipe = realm(mint=lambda _island, _address: None)
    alice = walker(pipe, 1, (0.0, 0.0, 0.0))
    pipe.run(30.0)
    opened, warning = alice.take(RealmOpened, WarningEvent, IslandChanged)
    assert warning.code is WarningCode.NO_ISLAND
    assert alice.session.counters["heartbeats"] == 30


def test_a_lost_socket_gives_a_fresh_island() -> None:
    pipe = realm()
    alice = walker(pipe, 1, (0.0, 0.0, 0.0))
    pipe.run(3.0)
    alice.take()
    pipe.cut(alice)
    pipe.run(0.5)
    pipe.up = False
    pipe.run(1.0)
    pipe.up = True
    pipe.run(6.0)
    assert [type(event) for event in alice.take(Reconnecting, Reconnected, IslandChanged)] == [
        Reconnecting,
        Reconnecting,
        Reconnected,
        IslandChanged,
    ]
    alice.session.renew()
    pipe.run(6.0)
    assert islands(alice) == ["I3"]


def test_leaving_is_noticed() -> None:
    pipe = realm()
    alice = walker(pipe, 1, (0.0, 0.0, 0.0))
    pipe.run(3.0)
    alice.session.close(now=pipe.now)
    pipe.run(1.0)
    assert alice.take(RealmClosed)[0].reason is CloseReason.CLIENT
    assert isinstance(pipe.server, ArchipelagoServer)
    assert (pipe.server.peers, pipe.server.islands.names()) == ((), ())
    pipe.run(3.0)
    assert pipe.server.deadline() is None


def test_a_signature_that_comes_too_late() -> None:
    pipe = realm(stage_seconds=2.0)
    alice = walker(pipe, 1)
    alice.signs = False
    pipe.run(3.0)
    assert alice.take(RealmClosed)[0].reason is CloseReason.NOT_SIGNED
    assert pipe.server.counters["refused.time"] == 1


@pytest.mark.parametrize("kind", ["realm", "room"])
def test_a_login_that_the_server_does_not_accept(kind: str) -> None:
    # It was good when it was sent, and is over when it arrives.
    pipe = realm() if kind == "realm" else rooms(stage_seconds=60.0)
    late = identity(expires=NOW + 1.0)
    options: Any = {"address": ROOT.address, "guard": GUARD}
    session: Any = ArchipelagoSession(REALM, **options) if kind == "realm" else WsRoomSession(WS_ROOM, **options)
    party = pipe.join(session, late)
    party.signs = False
    pipe.run(0.5)
    session.provide_signature(1, late.sign(party.events[-1].payload), now=0.6)
    pipe.server.handle_timeout(1.5)
    pipe.now = 1.4
    pipe.run(0.5)
    (end,) = party.take(RealmClosed, RoomClosed)
    assert end.reason is CloseReason.AUTHENTICATION
    assert pipe.server.counters["refused.chain"] == 1


# --- ws-rooms


def test_a_conversation() -> None:
    pipe = rooms()
    alice, bob = guest(pipe, 1), guest(pipe, 2)
    elsewhere = guest(pipe, 3, WsRoomAdapter("wss://realm.example/rooms/other"))
    pipe.run(0.5)
    assert isinstance(pipe.server, WsRoomServer)
    names = {who.who.address.lower() for who in (alice, bob)}
    assert set(pipe.server.rooms["plaza"]) == names
    (opened,) = bob.take(RoomOpened)
    assert (opened.name, opened.identity) == ("plaza", PeerId(bob.who.address))
    alice.take()
    alice.session.chat("hello")
    pipe.run(0.5)
    (chat,) = bob.take(ChatReceived)
    assert (chat.text, chat.sender) == ("hello", PeerId(alice.who.address))
    assert alice.session.unacknowledged == 0
    # Never back to the sender, never into another room.
    assert alice.take(ChatReceived) == elsewhere.take(ChatReceived) == []
    bob.session.move((1.0, 2.0, 3.0))
    bob.session.close(now=pipe.now)
    pipe.run(0.5)
    assert [type(event) for event in alice.take()][-1] is PeerLeft
    assert bob.take(RoomClosed)[0].reason is CloseReason.CLIENT
    elsewhere.session.close(now=pipe.now)
    pipe.run(0.5)
    assert list(pipe.server.rooms) == ["plaza"]


def test_a_room_that_is_full() -> None:
    pipe = rooms(max_users=1)
    alice = guest(pipe, 1)
    pipe.run(0.5)
    bob = guest(pipe, 2)
    pipe.run(0.5)
    kicked, end = bob.take()
    assert (kicked.cause, end.reason) == (CloseReason.ROOM_FULL, CloseReason.ROOM_FULL)
    assert [type(event) for event in alice.take()][-1] is not PeerJoined


def test_a_second_login_in_another_room_ends_the_first() -> None:
    pipe = rooms()
    first, other = guest(pipe, 1), guest(pipe, 2)
    pipe.run(0.5)
    first.take()
    second = guest(pipe, 1, WsRoomAdapter("wss://realm.example/rooms/other"))
    pipe.run(0.5)
    kicked, end = first.take(Kicked, RoomClosed)
    assert (kicked.cause, end.reason) == (CloseReason.DUPLICATE_IDENTITY, CloseReason.DUPLICATE_IDENTITY)
    assert len(second.take(RoomOpened)) == 1
    assert [event.sender for event in other.take(PeerLeft)] == [PeerId(ME)] or len(other.session.peers) == 0


def test_a_ban_is_told_in_the_same_words_by_whichever_service_is_heard_first() -> None:
    """Both kick at once, on two sockets: which is read first is nobody's to say."""
    pipe = realm()
    assert isinstance(pipe.server, ArchipelagoServer)
    walking = walker(pipe, 1)
    pipe.run(3.0)
    assert pipe.server.kick(walking.who.address, now=pipe.now)
    pipe.run(3.0)
    house = rooms()
    assert isinstance(house.server, WsRoomServer)
    sitting = guest(house, 1)
    house.run(0.5)
    assert house.server.kick(sitting.who.address, now=house.now)
    house.run(0.5)
    (by_island,), (by_room,) = walking.take(RealmClosed), sitting.take(RoomClosed)
    assert (by_room.reason, by_room.retry, by_room.detail) == (by_island.reason, by_island.retry, by_island.detail)
    assert by_room.detail.endswith("or was banned")


def test_a_kick_by_the_owner() -> None:
    pipe = rooms()
    assert isinstance(pipe.server, WsRoomServer)
    alice = guest(pipe, 1)
    pipe.run(0.5)
    assert pipe.server.kick(alice.who.address, now=pipe.now)
    assert not pipe.server.kick(alice.who.address, now=pipe.now)
    pipe.run(0.5)
    assert alice.session.state.value == "closed"


def test_one_second_for_each_step() -> None:
    pipe = rooms()
    alice = guest(pipe, 1)
    alice.signs = False
    pipe.run(0.9)
    assert alice.take(RoomClosed) == []
    pipe.run(0.3)
    assert alice.take(RoomClosed)[0].reason is CloseReason.NOT_SIGNED


def test_a_lost_room_is_joined_again() -> None:
    pipe = rooms()
    alice, bob = guest(pipe, 1, reconnect=SOON), guest(pipe, 2)
    pipe.run(0.5)
    alice.take()
    pipe.cut(alice)
    pipe.run(3.0)
    assert [type(event) for event in alice.take(Reconnecting, Reconnected)] == [Reconnecting, Reconnected]
    alice.session.chat("back")
    bob.take()
    pipe.run(0.5)
    assert [event.text for event in bob.take(ChatReceived)] == ["back"]


def test_islands_may_have_rules_of_their_own() -> None:
    pipe = realm(islands=Islands(prefix="island-", max_peers=1), flush_seconds=1.0)
    alice, bob = walker(pipe, 1, (0.0, 0.0, 0.0)), walker(pipe, 2, (0.0, 0.0, 0.0))
    pipe.run(2.0)
    assert islands(alice, bob) == ["island-1", "island-2"]
