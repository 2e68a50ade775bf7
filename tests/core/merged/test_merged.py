"""Several rooms as one: presence, what is told once, what goes where, and links told apart."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from rigs.core.merged import Client, Town
from rigs.core.room import STEADY, UNIX, livekit, people, wire

from dcl_comms_core import (
    AnnounceProfileVersion,
    ChatReceived,
    ClockSet,
    CloseReason,
    CommandCompleted,
    CredentialsNeeded,
    Delivery,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    Movement,
    OpenLink,
    Packet,
    PacketReceived,
    PacketTooLarge,
    Participant,
    ParticipantJoined,
    PeerEmoted,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PermissionMissing,
    Position,
    ProfileAnnounced,
    Reaction,
    ReactionReceived,
    RoomClosed,
    RoomOpened,
    RoomRole,
    RoomSession,
    RoomState,
    SceneMessageReceived,
    SendAcknowledged,
    SendData,
    SendQueueFull,
    SimulatorAdapter,
    WsRoomAdapter,
)
from dcl_comms_core import events as ev
from dcl_comms_core.limits import Limits

WALLET = "0x00112233445566778899aAbBcCdDeEfF00112233"


def town(*who: str, rooms: tuple[str, ...] = ("I1", "scene:S1")) -> tuple[Town, list[Client]]:
    """These applications in these rooms, and they have met."""
    here = Town()
    clients = [here.client(name, *rooms) for name in who]
    here.run()
    for client in clients:
        client.take()
    return here, clients


class Bench:
    """A merged view whose transports are played by the test."""

    def __init__(self, **options: Any) -> None:
        self.merged = MergedRooms(**options)
        self.now = 0.0
        self.links: dict[str, LinkRef] = {}

    def join(self, label: str, *present: str, role: RoomRole = RoomRole.ISLAND, adapter: Any = None) -> None:
        session = self.merged.join(adapter or SimulatorAdapter(label), role, room=label, now=self.now)
        (command,) = (command for command in self.merged.commands() if isinstance(command, OpenLink))
        self.links[label] = command.link
        assert command.link == session.link
        self.tell(label, LinkOpened, identity="me", room=label, participants=people(*present))

    def tell(self, label: str, kind: Any, **fields: Any) -> None:
        self.merged.receive(kind(link=self.links[label], **fields), now=self.now)

    def data(self, label: str, data: bytes, sender: str | None = "alice") -> None:
        self.merged.rooms[self.links[label].link].receive_data(sender, data, now=self.now)

    def heard(self, *kinds: type) -> list[Any]:
        return [event for event in self.merged.events() if isinstance(event, kinds)]

    def sent(self) -> list[tuple[int, SendData]]:
        return [(command.link.link, command) for command in self.merged.commands() if isinstance(command, SendData)]


# --- presence


def test_a_peer_is_there_from_its_first_room_to_its_last() -> None:
    here, (alice, bob) = town("alice", "bob")
    who = PeerId("bob")
    assert alice.merged.rooms_of(who) == ("island", "scene")
    assert list(alice.merged.peers) == [who]
    assert len(alice.merged.peers) == 1
    island, scene = bob.merged.rooms
    bob.merged.leave(island, now=here.clock.now)
    here.run()
    assert alice.take(PeerJoined, PeerLeft) == []
    assert alice.merged.rooms_of(who) == ("scene",)
    bob.merged.leave(scene, now=here.clock.now)
    here.run()
    (left,) = alice.take(PeerJoined, PeerLeft)
    assert (type(left), left.sender, left.room) == (PeerLeft, who, "scene")
    assert who not in alice.merged.peers
    assert alice.merged.rooms_of(who) == ()


def test_a_new_island_before_the_old_one_is_left_loses_nobody() -> None:
    here, (alice, bob) = town("alice", "bob", rooms=("I1",))
    for client in (alice, bob):
        client.join("I2")
    here.run()
    for client in (alice, bob):
        client.merged.leave(1, now=here.clock.now)
    here.run()
    for client in (alice, bob):
        assert client.take(PeerJoined, PeerLeft) == []
        assert list(client.merged.rooms) == [2]


def test_who_is_in_a_room_that_ends_is_gone_with_it_unless_another_room_has_them() -> None:
    bench = Bench()
    bench.join("island", "alice", "bob")
    bench.join("scene", "bob", "carol", role=RoomRole.SCENE)
    bench.merged.events()
    bench.tell("island", LinkClosed, reason=CloseReason.REMOVED)
    left, closed = bench.heard(PeerLeft, RoomClosed)
    assert (left.sender, left.room) == (PeerId("alice"), "island")
    assert (closed.room, closed.reason) == ("island", CloseReason.REMOVED)
    assert list(bench.merged.peers) == [PeerId("bob"), PeerId("carol")]
    assert [room.room for room in bench.merged.rooms.values()] == ["scene"]


def test_a_room_that_is_rejoined_keeps_its_peers_meanwhile() -> None:
    bench = Bench(reconnect=STEADY)
    bench.join("island", "alice")
    bench.merged.events()
    bench.tell("island", LinkClosed, reason=CloseReason.NETWORK)
    assert bench.merged.deadline() == 1.0
    assert bench.heard(PeerLeft) == []
    bench.now = 1.0
    bench.merged.handle_timeout(bench.now)
    (again,) = (command for command in bench.merged.commands() if isinstance(command, OpenLink))
    assert again.link == LinkRef(1, 2)
    # Late news of the first attempt changes nothing.
    bench.tell("island", LinkFailed, reason=CloseReason.TIMEOUT)
    bench.links["island"] = again.link
    bench.tell("island", LinkOpened, identity="me", room="island", participants=people("bob"))
    assert [type(event) for event in bench.heard(PeerLeft, PeerJoined)] == [PeerLeft, PeerJoined]


def test_a_peer_that_restarts_in_one_of_two_rooms_stays() -> None:
    bench = Bench()
    bench.join("island", "alice")
    bench.join("scene", "alice", role=RoomRole.SCENE)
    bench.merged.events()
    bench.tell("scene", ParticipantJoined, participant=Participant(identity="alice", sid="PA_new"))
    assert bench.heard(PeerJoined, PeerLeft) == []
    assert bench.merged.rooms_of(PeerId("ALICE")) == ("island", "scene")


# --- what is told once


def test_movements_that_come_through_two_rooms_are_told_once() -> None:
    here, (alice, bob) = town("alice", "bob")
    for number in range(20):
        bob.merged.move((float(number), 0.0, 0.0), now=here.clock.now)
        here.run(0.12)
    places = [event.position.x for event in alice.take(PeerMoved)]
    assert sorted(set(places)) == [float(number) for number in range(20)]
    assert alice.merged.counters["moved_twice"] == len(places)


def test_a_profile_s_version_that_comes_through_two_rooms_is_told_once_each_time() -> None:
    bench = Bench()
    bench.join("island", "alice")
    bench.join("scene", "alice", role=RoomRole.SCENE)

    def announced(label: str, version: int, sender: str | None = "alice") -> list[tuple[str, int]]:
        bench.data(label, wire(profile_version=AnnounceProfileVersion(profile_version=version)), sender)
        return [(event.room, event.version) for event in bench.heard(ProfileAnnounced)]

    assert announced("island", 1) == [("island", 1)]
    assert announced("scene", 1) == []
    # Again and again, as the explorers do.
    assert announced("island", 1) == [("island", 1)]
    assert announced("scene", 1) == []
    assert announced("scene", 2) == [("scene", 2)]
    assert announced("island", 2) == []
    assert bench.merged.counters["announced_twice"] == 3
    # The room that told of it has alice no longer, so the other one does.
    bench.tell("scene", LinkClosed, reason=CloseReason.REMOVED)
    assert announced("island", 2) == [("island", 2)]
    assert announced("island", 2, "stranger") == announced("island", 2, None) == [("island", 2)]


def test_what_one_room_lost_the_other_brings() -> None:
    bench = Bench()
    bench.join("island", "alice")
    bench.join("scene", "alice", role=RoomRole.SCENE)

    def moved(label: str, timestamp: float) -> list[float]:
        bench.data(label, wire(movement=Movement(timestamp=timestamp)))
        return [event.message.timestamp for event in bench.heard(PeerMoved)]

    assert moved("island", 1.0) == [1.0]
    assert moved("scene", 1.0) == []
    assert moved("scene", 2.0) == [2.0]
    assert moved("island", 2.0) == []
    assert moved("island", 1.5) == []
    # A clock that started again, not a late packet.
    assert moved("island", 100.0) == [100.0]
    assert moved("scene", 50.0) == [50.0]


def test_positions_are_told_apart_by_their_index() -> None:
    bench = Bench()
    bench.join("island", "alice")
    bench.join("scene", "alice", role=RoomRole.SCENE)
    for index in (0, 1):
        for label in ("island", "scene"):
            bench.data(label, wire(position=Position(index=index)))
    assert [event.message.index for event in bench.heard(PeerMoved)] == [0, 1]


def test_a_peer_that_left_the_room_that_told_of_it_is_heard_through_the_other() -> None:
    bench = Bench()
    bench.join("island", "alice")
    bench.join("scene", "alice", role=RoomRole.SCENE)
    bench.data("island", wire(movement=Movement(timestamp=5.0)))
    assert len(bench.heard(PeerMoved)) == 1
    bench.tell("island", LinkClosed, reason=CloseReason.REMOVED)
    bench.data("scene", wire(movement=Movement(timestamp=4.0)))
    assert len(bench.heard(PeerMoved)) == 1


@pytest.mark.parametrize("sender", [None, "stranger"])
def test_movements_of_who_is_in_no_room_are_told_as_they_come(sender: str | None) -> None:
    bench = Bench()
    bench.join("island")
    bench.join("scene", role=RoomRole.SCENE)
    for label in ("island", "scene"):
        bench.data(label, wire(movement=Movement(timestamp=1.0)), sender)
    assert len(bench.heard(PeerMoved)) == 2


def test_what_we_say_reaches_each_peer_once_through_two_rooms() -> None:
    here, (alice, bob) = town("alice", "bob")
    alice.merged.chat("hello", now=here.clock.now)
    alice.merged.chat("hello", to=PeerId("bob"))
    alice.merged.emote("wave")
    alice.merged.send(Packet(reaction=Reaction(emoji_index=3, timestamp=1.0, count=1)))
    here.run()
    heard = bob.take(ChatReceived, PeerEmoted, ReactionReceived)
    assert [type(event) for event in heard] == [ChatReceived, ChatReceived, PeerEmoted, ReactionReceived]
    assert [event.private for event in heard] == [False, True, False, False]
    # The next ones are not taken for these.
    alice.merged.chat("hello")
    alice.merged.emote("wave")
    here.run()
    assert [type(event) for event in bob.take(ChatReceived, PeerEmoted)] == [ChatReceived, PeerEmoted]


def test_a_session_made_elsewhere_takes_part() -> None:
    here, (alice,) = town("alice")
    bob = here.client("bob", "I1")
    session = RoomSession(SimulatorAdapter("S1"), room="mine", link=bob.merged.new_link(), seen=bob.merged.seen)
    bob.merged.add(session, RoomRole.SCENE, now=here.clock.now)
    here.run()
    assert bob.merged.rooms_of(PeerId("alice")) == ("island", "mine")
    alice.merged.chat("hello", now=here.clock.now)
    here.run()
    assert len(bob.take(ChatReceived)) == 1
    opened = RoomSession(SimulatorAdapter("S1"), link=bob.merged.new_link())
    opened.open(now=0.0)
    with pytest.raises(LocalProtocolError, match="make a new RoomSession"):
        bob.merged.add(opened, RoomRole.SCENE)
    assert len(bob.merged.rooms) == 2


# --- what goes where


def test_each_packet_goes_to_the_rooms_that_it_is_for() -> None:
    here, (alice, bob) = town("alice", "bob", rooms=("I1", "scene:S1", "other:private-messages"))
    alice.merged.scene_message("b64-scene", b"\x01hi", now=here.clock.now)
    alice.merged.announce_profile(1)
    here.run()
    assert [(type(event), event.room) for event in bob.take(SceneMessageReceived, ProfileAnnounced)] == [
        (ProfileAnnounced, "island"),
        (SceneMessageReceived, "scene"),
    ]
    assert bob.merged.counters["announced_twice"] == 1


def test_bytes_that_are_no_packet_go_to_island_and_scene() -> None:
    bench = Bench()
    bench.join("island")
    bench.join("scene", role=RoomRole.SCENE)
    bench.join("other", role=RoomRole.OTHER)
    bench.merged.send_bytes(b"\xff", now=0.0)
    bench.now = 2.0
    bench.merged.handle_timeout(2.0)
    assert [(link, command.data) for link, command in bench.sent()] == [(1, b"\xff"), (2, b"\xff")]


def test_who_is_named_is_named_as_each_room_writes_it() -> None:
    bench = Bench()
    bench.join("island", WALLET, "bob", "only-here")
    bench.join("scene", WALLET.lower(), "bob", role=RoomRole.SCENE)
    bench.now = 2.0
    bench.merged.handle_timeout(2.0)
    bench.merged.commands()
    bench.merged.chat("psst", to=PeerId(WALLET.upper()), now=2.0)
    assert [(link, command.to, command.topic) for link, command in bench.sent()] == [
        (1, (WALLET,), WALLET),
        (2, (WALLET.lower(),), WALLET.lower()),
    ]
    bench.merged.announce_profile(1, to=[PeerId("only-here"), PeerId("bob"), PeerId("nobody")])
    assert [(link, command.to) for link, command in bench.sent()] == [
        (1, ("only-here", "bob", "nobody")),
        (2, ("bob", "nobody")),
    ]
    bench.merged.announce_profile(1, to=PeerId("only-here"))
    assert [link for link, _ in bench.sent()] == [1]
    bench.merged.announce_profile(1, to=[])
    assert bench.sent() == []


def test_a_message_has_one_stamp_in_all_rooms_and_our_numbers_go_on_when_rooms_change() -> None:
    here, (alice, bob) = town("alice", "bob", rooms=("I1", "other:raw"))
    for client in (alice, bob):
        client.merged.receive(ClockSet(unix_offset=UNIX), now=here.clock.now)
    alice.merged.chat("one", now=here.clock.now)
    alice.merged.emote("wave")
    here.run()
    for client in (alice, bob):
        client.join("I2")
        client.merged.leave(1)
    here.run()
    alice.merged.chat("two", now=here.clock.now)
    alice.merged.emote("wave")
    here.run()
    one, two = bob.take(ChatReceived, PeerEmoted)[::2]
    assert (one.text, two.text) == ("one", "two")
    assert two.timestamp > one.timestamp
    assert two.sent_at == pytest.approx(UNIX + here.clock.now, abs=10.0)


def test_a_scene_message_that_some_clients_drop_is_told_of_once() -> None:
    bench = Bench()
    bench.join("scene", role=RoomRole.SCENE)
    bench.merged.events()
    bench.merged.scene_message("s", bytes(20_000))
    bench.merged.scene_message("s", bytes(20_000))
    assert [warning.code for warning in bench.heard(ev.Warning)] == [ev.WarningCode.SCENE_MESSAGE_LARGE]


def test_a_room_that_refuses_does_not_keep_others_from_getting_it() -> None:
    bench = Bench(limits=Limits(send_queue=1, in_flight=1))
    bench.join("island")
    bench.join("scene", role=RoomRole.SCENE, adapter=livekit(canPublishData=False))
    bench.merged.events()
    bench.merged.chat("one", now=0.0)
    bench.merged.events()
    assert bench.merged.counters["not_sent"] == 1
    with pytest.raises(SendQueueFull):
        bench.merged.chat("two")
    assert bench.heard(ev.Warning) == []
    with pytest.raises(PermissionMissing):
        bench.merged.scene_message("s", b"")
    with pytest.raises(PacketTooLarge):
        bench.merged.send_bytes(bytes(70_000))


def test_a_refusal_is_told_once_until_the_room_takes_packets_again() -> None:
    bench = Bench(limits=Limits(send_queue=2, in_flight=1))
    bench.join("island")
    bench.join("scene", role=RoomRole.SCENE)

    def refusals() -> list[str]:
        """Who refuses a chat message, twice, when the scene's queue is full and the island's has place for two."""
        with pytest.raises(SendQueueFull):
            while True:
                bench.merged.scene_message("s", b"")
        bench.merged.chat("one")
        bench.merged.chat("two")
        return [warning.room for warning in bench.heard(ev.Warning)]

    assert refusals() == ["scene"]
    assert bench.merged.counters["not_sent"] == 2
    for label in ("scene", "island"):
        bench.tell(label, CommandCompleted, what="SetAttributes")
    while sent := bench.sent():
        for _, command in sent:
            bench.merged.receive(SendAcknowledged(link=command.link, token=command.token), now=0.0)
    bench.merged.chat("three")
    assert bench.heard(ev.Warning) == []
    assert refusals() == ["scene"]


def test_nothing_can_be_sent_before_a_room_that_it_is_for_is_open() -> None:
    merged = MergedRooms()
    with pytest.raises(LocalProtocolError, match=r"island or scene"):
        merged.chat("x")
    merged.join(SimulatorAdapter("I1"), RoomRole.ISLAND, now=0.0)
    with pytest.raises(LocalProtocolError, match="between RoomOpened and RoomClosed"):
        merged.chat("x", to=[])
    with pytest.raises(LocalProtocolError, match=r"\(scene\)"):
        merged.scene_message("s", b"")


# --- links, time, the end


def test_links_are_told_apart_and_late_news_of_rooms_that_are_gone_is_counted() -> None:
    merged = MergedRooms()
    first = merged.join(SimulatorAdapter("I1"), RoomRole.ISLAND, now=0.0)
    second = merged.join(SimulatorAdapter("S1"), RoomRole.SCENE, now=5.0)
    assert [(type(command), command.link) for command in merged.commands()] == [
        (OpenLink, LinkRef(1, 1)),
        (OpenLink, LinkRef(2, 1)),
    ]
    assert (first.room, second.room) == ("island", "scene")
    assert merged.deadline() == 20.0
    merged.handle_timeout(20.0)
    assert (first.state, second.state) == (RoomState.CLOSED, RoomState.CONNECTING)
    assert [event.room for event in merged.events()] == ["island"]
    merged.receive(LinkClosed(link=LinkRef(1, 1), reason=CloseReason.CLIENT), now=20.0)
    assert merged.counters["late"] == 1
    assert merged.deadline() == 25.0
    merged.leave(1)
    merged.close(drain=0.0, now=21.0)
    assert merged.deadline() == 26.0
    merged.handle_timeout(26.0)
    assert [(type(event), event.reason) for event in merged.events()] == [(RoomClosed, CloseReason.CLIENT)]
    assert merged.deadline() is None
    merged.close()


def test_fresh_credentials_are_asked_for_under_the_name_of_their_room_and_go_takes_them() -> None:
    merged = MergedRooms()
    merged.receive(ClockSet(unix_offset=UNIX), now=0.0)
    merged.go(livekit(), RoomRole.ISLAND, now=0.0)
    (opening,) = merged.commands()
    merged.receive(LinkOpened(link=opening.link, identity="me", room="x"), now=0.0)
    merged.events()
    merged.receive(LinkClosed(link=opening.link, reason=CloseReason.ROOM_DELETED), now=1.0)
    assert [(type(event), event.room) for event in merged.events()] == [
        (CredentialsNeeded, "island"),
        (RoomClosed, "island"),
    ]
    merged.go(livekit(), RoomRole.ISLAND, now=2.0)
    assert OpenLink in [type(command) for command in merged.commands()]


def test_a_room_that_is_refused_is_over_at_once() -> None:
    merged = MergedRooms()
    merged.receive(ClockSet(unix_offset=UNIX + 10_000.0), now=0.0)
    session = merged.join(livekit(), RoomRole.ISLAND, now=0.0)
    assert session.state is RoomState.CLOSED
    assert [event.reason for event in merged.events()] == [CloseReason.TOKEN_EXPIRED]
    assert merged.rooms == {}


def test_misuse() -> None:
    merged = MergedRooms(limits=Limits(rooms=1))
    with pytest.raises(LocalProtocolError, match="WsRoomAdapter"):
        merged.join(WsRoomAdapter("wss://example.com/rooms/a"), RoomRole.ISLAND)
    merged.join(SimulatorAdapter("I1"), RoomRole.ISLAND, now=0.0)
    with pytest.raises(LocalProtocolError, match=r"Limits\.rooms"):
        merged.join(SimulatorAdapter("S1"), RoomRole.SCENE)
    for offset in (nan, inf):
        with pytest.raises(LocalProtocolError, match="finite"):
            merged.receive(ClockSet(unix_offset=offset), now=0.0)
        with pytest.raises(LocalProtocolError, match="finite"):
            merged.handle_timeout(offset)
    with pytest.raises(LocalProtocolError, match="not str"):
        merged.receive("x", now=0.0)  # type: ignore[arg-type]  # what is tested


def test_raw_delivery_and_labels_of_ones_own() -> None:
    here = Town()
    alice = here.client("alice", "I1")
    bob = here.client("bob", delivery=Delivery.PACKETS)
    bob.join("I1", room="mine")
    here.run()
    alice.merged.chat("hello", now=here.clock.now)
    here.run()
    assert [event.room for event in bob.take(PacketReceived)] == ["mine"]
    assert [event.name for event in alice.take(RoomOpened)] == ["I1"]
