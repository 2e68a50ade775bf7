"""The in-memory room: what it does on its way is what a LiveKit room does, and the same each time."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import kinds

from dcl_comms_core import (
    EVERYONE,
    Backoff,
    ChatReceived,
    CloseLink,
    CloseReason,
    DatagramsClosed,
    Delivery,
    Faults,
    Limits,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    LocalProtocolError,
    MemoryRoom,
    OpenDatagrams,
    OpenLink,
    PacketReceived,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerJoined,
    PeerLeft,
    PublishMicrophone,
    Reconnected,
    Reconnecting,
    RoomClosed,
    RoomState,
    SendAcknowledged,
    SendData,
    SetAttributes,
    SimulatorAdapter,
    SubscribeTrack,
    TrackAppeared,
    TrackPublished,
    TrackUnpublished,
)
from dcl_comms_core.packets.envelope import LIVEKIT_MAX_PACKET
from dcl_comms_core.simulation.memory_room import MemoryPort
from dcl_comms_core.testing import Pair, Party

AT_ONCE = Faults(latency=0.0, announce_every=0.0)
LINK = LinkRef(1, 1)
PACKETS = [bytes([0x58, number]) for number in range(128)]
"""Packets that are told apart by their protocol_version."""


def events(party: Party, *kinds_wanted: type) -> list[Any]:
    return [event for event in party.take_events() if isinstance(event, kinds_wanted)]


def texts(party: Party) -> list[str]:
    return [event.text for event in events(party, ChatReceived)]


def port_in(room: MemoryRoom, identity: str, now: float = 0.0) -> MemoryPort:
    """A port that is in the room, driven directly."""
    port = room.port(identity)
    port.execute(OpenLink(link=LINK, adapter=SimulatorAdapter("x")), now=now)
    assert LinkOpened in {type(item) for item in port.inputs(now + room.faults.latency)}
    return port


def data(token: int, payload: bytes = b"x", to: tuple[str, ...] | None = None, **more: Any) -> SendData:
    return SendData(link=LINK, token=token, data=payload, to=to, **{"reliable": True, **more})


# --- delivery


def test_a_conversation() -> None:
    pair = Pair(seed=1)
    pair.open()
    assert pair.room.identities == ("alice", "bob")
    pair.a.session.chat("to all")
    pair.b.session.chat("to alice", to=PeerId("alice"))
    pair.run(1.0)
    assert [(event.text, event.sender, event.private) for event in events(pair.b, ChatReceived)] == [
        ("to all", PeerId("alice"), False)
    ]
    assert [(event.text, event.sender, event.private) for event in events(pair.a, ChatReceived)] == [
        ("to alice", PeerId("bob"), True)
    ]
    assert pair.a.session.counters["sent"] == 1


def test_latency_and_order() -> None:
    pair = Pair(faults=Faults(latency=0.25))
    pair.open()
    start = pair.clock.now
    for number in range(20):
        pair.a.session.chat(str(number))
    pair.run(1.0)
    heard = events(pair.b, ChatReceived)
    assert [event.text for event in heard] == [str(number) for number in range(20)]
    assert {event.at for event in heard} == {start + 0.25}


@pytest.mark.parametrize(
    ("to", "hearing"),
    [
        (EVERYONE, "bc"),
        (PeerId("b"), "b"),
        ([PeerId("b"), PeerId("c")], "bc"),
        ([PeerId("nobody")], ""),
        ([PeerId("B")], "b"),  # a server compares as it is written, so the session writes it as it is there
        ([PeerId("a")], ""),  # nobody hears itself
        ([], ""),
    ],
)
@pytest.mark.parametrize("reliable", [True, False])
def test_only_addressees_hear(to: Any, hearing: str, reliable: bool) -> None:
    trio = Pair(identities=("a", "b", "c"), delivery=Delivery.PACKETS)
    trio.open()
    trio.parties[0].session.send_bytes(b"", to=to, reliable=reliable, topic="t")
    trio.run(1.0)
    heard = {party.port.identity: events(party, PacketReceived) for party in trio.parties}
    assert {who for who, packets in heard.items() if packets} == set(hearing)
    for packets in heard.values():
        assert [(event.reliable, event.topic) for event in packets] in ([], [(reliable, "t")])


def lossy(count: int, faults: Faults, seed: int = 0) -> list[int]:
    pair = Pair(seed=seed, faults=faults, delivery=Delivery.PACKETS, limits=Limits(in_flight=1000))
    pair.open()
    for number in range(count):
        pair.a.session.send_bytes(PACKETS[number], reliable=False)
        pair.run(0.01)
    pair.run(5.0)
    return [event.protocol_version for event in events(pair.b, PacketReceived)]


def test_a_good_network_delivers_lossy_packets_too() -> None:
    assert lossy(100, Faults()) == list(range(100))


def test_loss() -> None:
    heard = lossy(100, Faults(loss=0.5))
    assert heard == sorted(set(heard))
    assert 30 < len(heard) < 70
    assert lossy(20, Faults(loss=1.0)) == []


def test_duplicates() -> None:
    assert lossy(20, Faults(duplicate=1.0)) == [number for number in range(20) for _ in range(2)]


def test_reordering_and_jitter() -> None:
    for faults in (Faults(latency=0.05, reorder=0.5), Faults(jitter=0.1)):
        heard = lossy(100, faults)
        assert sorted(heard) == list(range(100))
        assert heard != sorted(heard)


def test_faults_of_lossy_packets_do_not_touch_reliable_ones() -> None:
    pair = Pair(faults=Faults(loss=1.0, duplicate=1.0, reorder=1.0, jitter=0.3), delivery=Delivery.PACKETS)
    pair.open()
    for number in range(50):
        pair.a.session.send_bytes(PACKETS[number])
        pair.run(0.01)
    pair.run(2.0)
    assert [event.protocol_version for event in events(pair.b, PacketReceived)] == list(range(50))


@pytest.mark.parametrize("faults", [{"latency": -1.0}, {"loss": 1.1}, {"jitter": float("nan")}, {"give_up": 1e9}])
def test_faults_that_make_no_sense(faults: dict[str, float]) -> None:
    with pytest.raises(LocalProtocolError, match="Faults takes"):
        Faults(**faults)


# --- being announced


def test_whoever_does_nothing_is_announced_late_and_speaks_without_a_name_until_then() -> None:
    pair = Pair(announce=False)
    pair.a.session.open()
    pair.run(0.5)
    pair.b.session.open(now=pair.clock.now)
    pair.run(0.1)
    for _ in range(30):
        pair.b.session.chat("hello", now=pair.clock.now)
        pair.run(0.1)
    heard = events(pair.a, ChatReceived, PeerJoined)
    joined = kinds(heard).index("PeerJoined")
    assert heard[joined].at == 3.0
    assert [event.sender for event in heard[:joined]] == [None] * 24
    assert {event.sender for event in heard[joined + 1 :]} == {PeerId("bob")}
    # Whoever comes later is told at once who is there.
    assert events(pair.b, PeerJoined)[0].at == pytest.approx(0.52)
    # Leaving is told late as well.
    pair.b.session.close(now=pair.clock.now)
    pair.run(5.0)
    (left,) = events(pair.a, PeerLeft)
    assert left.at == 6.0


def test_attributes_make_us_known_at_once() -> None:
    pair = Pair(faults=Faults(latency=0.01))
    pair.a.session.open()
    pair.run(0.5)
    pair.b.session.open(now=pair.clock.now)
    pair.run(0.5)
    (joined,) = events(pair.a, PeerJoined)
    assert joined.at == pytest.approx(0.52)


def test_a_microphone_makes_us_known_at_once_and_tells_our_leaving_at_once() -> None:
    room = MemoryRoom()
    listener, speaker = port_in(room, "listener"), port_in(room, "speaker")
    speaker.execute(PublishMicrophone(link=LINK), now=0.1)
    joined, track = listener.inputs(0.2)
    assert isinstance(joined, ParticipantJoined)
    assert isinstance(track, TrackAppeared)
    assert (joined.participant.identity, track.identity, track.track.muted) == ("speaker", "speaker", True)
    # Once: not for attributes that follow, nor when its batch is due.
    speaker.execute(SetAttributes(link=LINK, attributes=(("client", "x"),)), now=0.3)
    assert listener.inputs(4.0) == []
    # A simulated track carries nothing: asking for it changes nothing.
    listener.execute(SubscribeTrack(link=LINK, identity="speaker", sid=track.track.sid, wanted=True), now=4.0)
    assert listener.inputs(4.0) == []
    # Whoever comes later is told of the track as well.
    late = room.port("late")
    late.execute(OpenLink(link=LINK, adapter=SimulatorAdapter("x")), now=4.0)
    opened, appeared = late.inputs(4.02)
    assert isinstance(opened, LinkOpened)
    assert [person.identity for person in opened.participants] == ["listener", "speaker"]
    assert appeared == TrackAppeared(link=LINK, identity="speaker", track=track.track)
    speaker.execute(CloseLink(link=LINK), now=5.0)
    assert listener.inputs(5.02) == [ParticipantLeft(link=LINK, identity="speaker")]


def test_a_session_with_a_track() -> None:
    pair = Pair()
    pair.open()
    pair.b.port.execute(PublishMicrophone(link=LINK), now=pair.clock.now)
    pair.run(1.0)
    assert kinds(events(pair.a, TrackPublished)) == ["TrackPublished"]
    pair.b.session.close()
    pair.run(1.0)
    assert kinds(events(pair.a, TrackUnpublished, PeerLeft)) == ["TrackUnpublished", "PeerLeft"]


def test_everything_at_once_where_asked() -> None:
    pair = Pair(faults=AT_ONCE, announce=False)
    pair.open(0.0)
    assert kinds(events(pair.a, PeerJoined)) == ["PeerJoined"]
    pair.a.session.chat("now")
    pair.run(0.0)
    assert texts(pair.b) == ["now"]
    pair.b.session.close()
    pair.run(0.0)
    assert kinds(events(pair.a, PeerLeft)) == ["PeerLeft"]


# --- one identity, one session


def test_the_newer_session_of_an_identity_replaces_the_older() -> None:
    pair = Pair(identities=("alice", "bob", "bob"))
    pair.a.session.open()
    pair.b.session.open()
    pair.run(1.0)
    newer = pair.parties[2]
    newer.session.open(now=pair.clock.now)
    pair.run(1.0)
    (closed,) = events(pair.b, RoomClosed)
    assert closed.reason is CloseReason.DUPLICATE_IDENTITY
    assert newer.session.state is RoomState.OPEN
    pair.run(5.0)
    changes = [(type(event).__name__, event.at) for event in events(pair.a, PeerJoined, PeerLeft)]
    assert [name for name, _ in changes] == ["PeerJoined", "PeerLeft", "PeerJoined"]
    newer.session.chat("it is me")
    pair.run(1.0)
    assert texts(pair.a) == ["it is me"]
    assert pair.room.identities == ("alice", "bob")


def test_whoever_was_replaced_before_it_was_announced_leaves_no_trace() -> None:
    pair = Pair(identities=("alice", "bob", "bob"), announce=False)
    pair.open(8.0)
    assert kinds(events(pair.a, PeerJoined, PeerLeft)) == ["PeerJoined"]


# --- what a tester may do


def test_removing_a_participant() -> None:
    pair = Pair()
    pair.open()
    pair.room.remove("bob", now=pair.clock.now)
    pair.run(3.0)
    assert [event.reason for event in events(pair.b, RoomClosed)] == [CloseReason.REMOVED]
    assert kinds(events(pair.a, PeerLeft)) == ["PeerLeft"]
    for verb in (pair.room.remove, pair.room.partition, pair.room.heal):
        with pytest.raises(LocalProtocolError, match="not in the room: bob"):
            verb("bob", now=pair.clock.now)


def test_deleting_the_room() -> None:
    pair = Pair(reconnect=Backoff())
    pair.open()
    pair.room.delete(now=pair.clock.now)
    pair.run(1.0)
    for party in pair.parties:
        assert [event.reason for event in events(party, RoomClosed)] == [CloseReason.ROOM_DELETED]
    assert pair.room.identities == ()


def test_a_server_that_stops_and_comes_back() -> None:
    pair = Pair(reconnect=Backoff(initial=1.0, jitter=0.0), faults=Faults(latency=0.01))
    pair.open()
    pair.room.shut_down(now=pair.clock.now)
    pair.run(2.0)
    assert [(event.attempt, event.reason) for event in events(pair.a, Reconnecting)] == [
        (1, CloseReason.NETWORK),
        (2, CloseReason.UNREACHABLE),
    ]
    pair.room.restart()
    pair.run(3.0)
    assert [event.attempt for event in events(pair.a, Reconnected)] == [2]
    pair.a.session.chat("back")
    pair.run(1.0)
    assert texts(pair.b) == ["back"]


def test_a_server_that_is_down() -> None:
    pair = Pair()
    pair.room.shut_down(now=0.0)
    pair.open(1.0)
    assert [(event.reason, event.detail) for event in events(pair.a, RoomClosed)] == [
        (CloseReason.UNREACHABLE, "the server is down")
    ]


# --- partitions


def test_a_partition_that_heals() -> None:
    pair = Pair(faults=Faults(latency=0.01, notice=0.1, give_up=5.0))
    pair.open()
    start = pair.clock.now
    pair.room.partition("bob", now=start)
    pair.room.partition("bob", now=start)  # cut off already
    pair.a.session.chat("1")
    pair.b.session.chat("from the island")
    pair.b.session.move((0.0, 0.0, 0.0))
    pair.run(2.0)
    assert [event.at for event in events(pair.b, Reconnecting)] == [start + 0.1]
    assert texts(pair.a) == texts(pair.b) == []
    # The lossy one was taken by the client's own buffer, the reliable one waits there.
    assert pair.b.session.unacknowledged == 1
    pair.a.session.chat("2")
    pair.room.heal("bob", "alice", now=pair.clock.now)
    pair.run(1.0)
    assert [event.attempt for event in events(pair.b, Reconnected)] == [0]
    assert texts(pair.a) == ["from the island"]
    assert pair.b.session.unacknowledged == 0


def test_what_was_missed_comes_after_healing_in_order() -> None:
    pair = Pair(faults=Faults(latency=0.02), delivery=Delivery.PACKETS)
    pair.open()
    # Cut while one is on its way, another is sent behind it, healed while a third is on its way.
    pair.a.session.send_bytes(PACKETS[1])
    pair.run(0.01)
    pair.room.partition("bob", now=pair.clock.now)
    pair.a.session.send_bytes(PACKETS[2])
    pair.run(0.03)
    pair.a.session.send_bytes(PACKETS[3])
    pair.run(0.015)
    pair.room.heal("bob", now=pair.clock.now)
    pair.a.session.send_bytes(PACKETS[4])
    pair.run(1.0)
    assert [event.protocol_version for event in events(pair.b, PacketReceived)] == [1, 2, 3, 4]


def test_lossy_packets_are_lost_in_a_partition() -> None:
    pair = Pair(delivery=Delivery.PACKETS)
    pair.open()
    pair.a.session.send_bytes(PACKETS[1], reliable=False)
    pair.run(0.01)
    pair.room.partition("bob", now=pair.clock.now)
    pair.run(0.05)
    pair.room.heal("bob", now=pair.clock.now)
    pair.run(1.0)
    assert events(pair.b, PacketReceived) == []


def test_a_short_partition_goes_unnoticed() -> None:
    pair = Pair()
    pair.open()
    pair.room.partition("bob", now=pair.clock.now)
    pair.run(0.05)
    pair.room.heal("bob", now=pair.clock.now)
    pair.run(20.0)
    assert events(pair.b, Reconnecting, Reconnected, RoomClosed) == []


def test_who_came_and_went_is_told_after_healing() -> None:
    trio = Pair(identities=("a", "b", "c", "d"))
    a, b, c, d = trio.parties
    for party in (a, b, c):
        party.session.open()
    trio.run(1.0)
    trio.room.partition("a", now=trio.clock.now)
    c.session.close(now=trio.clock.now)
    d.session.open(now=trio.clock.now)
    trio.run(1.0)
    d.port.execute(PublishMicrophone(link=LINK), now=trio.clock.now)
    trio.run(4.0)
    assert kinds(events(a, PeerJoined, PeerLeft, TrackPublished)) == ["PeerJoined", "PeerJoined"]
    trio.room.heal("a", now=trio.clock.now)
    trio.run(0.1)
    told = [(type(event).__name__, event.sender.text) for event in events(a, PeerJoined, PeerLeft, TrackPublished)]
    assert told == [("PeerLeft", "c"), ("PeerJoined", "d"), ("TrackPublished", "d")]
    assert kinds(events(b, PeerLeft)) == ["PeerLeft"]


def test_news_of_others_comes_in_order() -> None:
    """Seed 8375 found it: who came back while we were cut off had joined, and then left, as we were told."""
    faults = Faults(latency=0.3, announce_every=1.0, notice=10.0)
    pair = Pair(faults=faults, reconnect=Backoff(initial=0.0, jitter=0.0), announce=False)
    pair.open(4.0)
    pair.a.take_events()
    pair.room.partition("alice", now=4.0)
    pair.run(0.5)
    pair.b.port.abandon(4.5)
    pair.b.session.receive(LinkClosed(link=pair.b.session.link, reason=CloseReason.NETWORK), now=4.5)
    pair.run(0.25)
    # That the old session is gone is due at 5.05; the new one is there at 4.8, and is announced at 5.0.
    pair.room.heal("alice", now=4.75)
    pair.run(2.0)
    assert kinds(pair.a.take_events()) == ["PeerLeft", "PeerJoined"]
    assert [who.text for who in pair.a.session.peers] == ["bob"]


def test_making_oneself_known_waits_for_the_network() -> None:
    room = MemoryRoom()
    other, port = port_in(room, "other"), port_in(room, "port")
    room.partition("port", now=0.1)
    port.execute(SetAttributes(link=LINK, attributes=()), now=0.2)
    assert other.inputs(1.0) == []
    room.heal("port", now=1.0)
    assert kinds(other.inputs(1.02)) == ["ParticipantJoined"]


def test_a_client_that_gives_up_joins_again_once_it_can() -> None:
    pair = Pair(
        faults=Faults(latency=0.01, notice=0.1, give_up=2.0), reconnect=Backoff(initial=1.0, factor=1.0, jitter=0.0)
    )
    pair.open()
    start = pair.clock.now
    pair.room.partition("bob", now=start)
    pair.b.session.chat("never acknowledged")
    pair.run(6.0)
    tries = [(event.attempt, event.reason) for event in events(pair.b, Reconnecting)]
    assert tries[:3] == [(0, CloseReason.NETWORK), (1, CloseReason.NETWORK), (2, CloseReason.UNREACHABLE)]
    assert pair.room.identities == ("alice",)
    assert kinds(events(pair.a, PeerLeft)) == ["PeerLeft"]
    pair.b.session.chat("when we are back")
    pair.room.heal("bob", now=pair.clock.now)
    pair.run(3.0)
    assert pair.b.session.state is RoomState.OPEN
    assert texts(pair.a) == ["when we are back"]


def test_whoever_is_cut_off_hears_nothing_of_its_own_end() -> None:
    pair = Pair(faults=Faults(notice=0.1, give_up=2.0))
    pair.open()
    start = pair.clock.now
    pair.room.partition("bob", now=start)
    pair.run(0.5)
    pair.room.remove("bob", now=pair.clock.now)
    pair.run(5.0)
    assert [(event.at, event.reason) for event in events(pair.b, RoomClosed)] == [(start + 2.1, CloseReason.NETWORK)]


def test_leaving_while_cut_off() -> None:
    pair = Pair()
    pair.open()
    pair.room.partition("bob", now=pair.clock.now)
    pair.b.session.close(drain=0.0)
    pair.run(20.0)
    assert [event.reason for event in events(pair.b, RoomClosed)] == [CloseReason.CLIENT]
    pair.room.heal("bob", now=pair.clock.now)
    assert pair.room.identities == ("alice",)


def test_a_sender_that_left_is_heard_to_the_end() -> None:
    pair = Pair(faults=Faults(latency=0.1))
    pair.open()
    pair.b.session.chat("last words")
    pair.b.session.close()
    pair.run(10.0)
    assert texts(pair.a) == ["last words"]


# --- the port itself


def test_oversized_packets_are_refused_with_an_acknowledgement() -> None:
    room = MemoryRoom()
    port, other = port_in(room, "a"), port_in(room, "b")
    for number, (reliable, size) in enumerate([(True, LIVEKIT_MAX_PACKET), (False, LIVEKIT_MAX_PACKET), (True, 1)]):
        port.execute(data(number, bytes(size), reliable=reliable), now=1.0)
    answers = [item for item in port.inputs(1.0) if isinstance(item, SendAcknowledged)]
    assert [(answer.token, "exceed" in answer.error) for answer in answers] == [(0, True), (1, True), (2, False)]
    assert [item.data for item in other.inputs(1.02) if hasattr(item, "data")] == [b"\x00"]


def test_a_port_takes_no_more_than_asked_for() -> None:
    room = MemoryRoom(faults=AT_ONCE)
    port, other = port_in(room, "a"), port_in(room, "b")
    port.inputs(0.0)
    for number in range(5):
        other.execute(data(number, bytes([number])), now=0.0)
    assert [len(port.inputs(0.0, 2)) for _ in range(4)] == [2, 2, 1, 0]


def test_commands_of_another_link_are_ignored() -> None:
    room = MemoryRoom()
    port = port_in(room, "a")
    stale = LinkRef(1, 0)
    port.execute(SendData(link=stale, token=1, data=b"", to=None, reliable=True), now=1.0)
    port.execute(SetAttributes(link=stale, attributes=()), now=1.0)
    port.execute(CloseLink(link=stale), now=1.0)
    assert port.inputs(10.0) == []
    assert room.identities == ("a",)


def test_datagrams_are_refused_and_the_room_stays() -> None:
    room = MemoryRoom()
    port, other = port_in(room, "a"), LinkRef(2, 1)
    port.inputs(0.0)
    port.execute(OpenDatagrams(link=other, host="127.0.0.1", port=7777), now=1.0)
    (refused,) = port.inputs(1.0)
    assert isinstance(refused, DatagramsClosed)
    assert (refused.link, refused.reason) == (other, CloseReason.UNREACHABLE)
    assert room.identities == ("a",)


def test_only_commands_can_be_carried_out() -> None:
    class Other:
        link = LINK

    with pytest.raises(LocalProtocolError, match="can't carry out Other"):
        port_in(MemoryRoom(), "a").execute(Other(), now=0.0)  # type: ignore[arg-type]  # the mistake


def test_giving_up_a_link_that_is_still_opening() -> None:
    room = MemoryRoom(faults=Faults(latency=1.0))
    port = room.port("a")
    port.execute(OpenLink(link=LINK, adapter=SimulatorAdapter("x")), now=0.0)
    port.execute(CloseLink(link=LINK), now=0.5)
    assert port.inputs(5.0) == [LinkClosed(link=LINK, reason=CloseReason.CLIENT)]
    assert room.identities == ()
    # After a refusal there is nothing left to give up.
    room.shut_down(now=5.0)
    port.execute(OpenLink(link=LINK, adapter=SimulatorAdapter("x")), now=5.0)
    assert kinds(port.inputs(6.0)) == ["LinkFailed"]
    port.execute(CloseLink(link=LINK), now=6.0)
    assert port.inputs(10.0) == []


def test_a_program_that_ends_leaves_the_room() -> None:
    room = MemoryRoom(faults=AT_ONCE)
    port, other, waiting = port_in(room, "a"), port_in(room, "b"), room.port("c")
    other.inputs(0.0)
    waiting.execute(OpenLink(link=LINK, adapter=SimulatorAdapter("x")), now=0.0)
    waiting.abandon(0.0)
    port.abandon(0.0)
    assert (port.deadline(), waiting.deadline()) == (None, None)
    assert kinds(other.inputs(0.0)) == ["ParticipantLeft"]
    assert room.identities == ("b",)
    port.execute(data(1), now=0.0)
    assert port.inputs(1.0) == []


def test_a_driver_is_woken_by_what_is_scheduled() -> None:
    room = MemoryRoom()
    port, other = port_in(room, "a"), port_in(room, "b")
    woken: list[float | None] = []
    other.on_schedule = lambda: woken.append(other.deadline())
    port.execute(data(1), now=1.0)
    assert woken[-1:] == [1.02]


def test_made_up_identities_are_addresses() -> None:
    def make() -> list[str]:
        room = MemoryRoom(seed=5)
        return [room.port().identity for _ in range(3)]

    assert make() == make()
    assert len(set(make())) == 3
    assert all(PeerId(identity).address == identity for identity in make())


def test_partition_notices_reach_nobody_who_left() -> None:
    room = MemoryRoom(faults=Faults(notice=0.1, give_up=1.0))
    port = port_in(room, "a")
    room.partition("a", now=1.0)
    port.execute(CloseLink(link=LINK), now=1.05)
    assert kinds(port.inputs(9.0)) == ["LinkClosed"]
    assert not {LinkReconnecting, LinkReconnected, LinkFailed} & {type(item) for item in port.inputs(9.0)}
