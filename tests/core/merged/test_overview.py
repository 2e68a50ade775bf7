"""What a merged view says of all its rooms at once, and ws-rooms in it."""

from __future__ import annotations

import pytest
from rigs.core.chains import NOW, identity
from rigs.core.room import livekit, people
from rigs.core.sockets import GUARD, ME, WS_ROOM

from dcl_comms_core import (
    ClockSet,
    CloseReason,
    CloseSocket,
    CommandCompleted,
    FrameReceived,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    NotInARoom,
    OfflineAdapter,
    OpenLink,
    OpenSocket,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeersOfRooms,
    PermissionMissing,
    Place,
    Retry,
    RoomClosed,
    RoomRole,
    SendFrame,
    SignatureNeeded,
    SimulatorAdapter,
    SocketClosed,
    SocketOpened,
    SubscribeTrack,
    Timer,
    Track,
    TrackAppeared,
    TrackKind,
    TrackSource,
    WsChallengeRequired,
    WsPacket,
    WsRoomAdapter,
    WsWelcome,
    encode,
)
from dcl_comms_core.limits import Limits
from dcl_comms_core.testing import MemorySource


def two_rooms() -> tuple[MergedRooms, LinkRef, LinkRef]:
    merged = MergedRooms(limits=Limits(in_flight=2))
    merged.join(SimulatorAdapter("a"), RoomRole.ISLAND, now=0.0)
    merged.join(SimulatorAdapter("b"), RoomRole.SCENE, now=0.0)
    one, other = (command.link for command in merged.commands() if isinstance(command, OpenLink))
    for link in (one, other):
        merged.receive(LinkOpened(link=link, identity="me", room="x", participants=people("bob")), now=0.0)
    return merged, one, other


def test_credit_is_what_all_rooms_have() -> None:
    merged, one, other = two_rooms()
    assert (merged.credits, merged.has_credit()) == (0, False)
    assert MergedRooms().credits == 0
    assert not MergedRooms().has_credit()
    for link in (one, other):
        merged.receive(CommandCompleted(link=link, what="SetAttributes"), now=0.0)
    assert (merged.credits, merged.has_credit()) == (2, True)
    for _ in range(3):
        merged.chat("hello")
    assert (merged.credits, merged.has_credit(), merged.waiting, merged.unacknowledged) == (0, False, 2, 6)
    assert merged.waiting_bytes * 2 == merged.in_flight_bytes
    sent = [command for command in merged.commands() if command.link == one]
    merged.receive_acknowledged(
        [command.token for command in sent if hasattr(command, "token")], link=one.link, now=0.0
    )
    assert merged.unacknowledged == 4
    assert merged.links == (one.link, other.link)


def test_tracks_are_in_whichever_room_they_are() -> None:
    merged, one, other = two_rooms()
    track = Track(sid="TR", kind=TrackKind.AUDIO)
    merged.receive(TrackAppeared(link=other, identity="bob", track=track), now=0.0)
    merged.commands()
    assert merged.subscribe(track, wanted=False)
    assert [command.link for command in merged.commands() if isinstance(command, SubscribeTrack)] == [other]
    assert not merged.subscribe("TR_of_nobody")
    with pytest.raises(NotInARoom, match="no room is open"):
        MergedRooms().subscribe(track)
    assert one != other


def test_a_token_may_forbid_to_subscribe() -> None:
    merged = MergedRooms()
    merged.join(livekit(can_subscribe=False), RoomRole.ISLAND, now=0.0)
    (command,) = merged.commands()
    assert isinstance(command, OpenLink)
    merged.receive(LinkOpened(link=command.link, identity="me", room="x"), now=0.0)
    with pytest.raises(PermissionMissing):
        merged.subscribe("TR")


def test_which_room_has_a_track_and_which_takes_one() -> None:
    merged, one, other = two_rooms()
    track = Track(sid="TR", kind=TrackKind.AUDIO)
    merged.receive(TrackAppeared(link=other, identity="bob", track=track), now=0.0)
    assert (merged.room_with(track), merged.room_with("TR"), merged.room_with("TX")) == (other.link, other.link, None)
    assert merged.room_to_publish(TrackSource.MICROPHONE) == one.link
    merged.check_publish(TrackSource.MICROPHONE)
    with pytest.raises(NotInARoom, match="no room is open"):
        MergedRooms().room_to_publish(TrackSource.MICROPHONE)


def test_a_track_goes_where_the_token_allows_it() -> None:
    merged = MergedRooms()
    links: list[LinkRef] = []
    for token in ({}, {"can_publish_sources": None}):
        merged.join(livekit(**token), RoomRole.SCENE if links else RoomRole.ISLAND, now=0.0)
        links += [command.link for command in merged.commands() if isinstance(command, OpenLink)]
    merged.receive(LinkOpened(link=links[0], identity="me", room="x"), now=0.0)
    assert merged.room_to_publish(TrackSource.MICROPHONE) == links[0].link
    with pytest.raises(PermissionMissing):
        merged.room_to_publish(TrackSource.CAMERA)
    merged.receive(LinkOpened(link=links[1], identity="me", room="y"), now=0.0)
    assert merged.room_to_publish(TrackSource.CAMERA) == links[1].link


def test_peers_of_all_rooms_read_like_those_of_one() -> None:
    merged, one, other = two_rooms()
    merged.receive(ParticipantJoined(link=other, participant=Participant(identity="Carl", name="C")), now=3.0)
    peers = PeersOfRooms(merged)
    bob, carl = PeerId("bob"), PeerId("carl")
    assert list(peers) == [bob, carl]
    assert (len(peers), bob in peers, PeerId("x") in peers) == (2, True, False)
    assert [peer.id.text for peer in peers.values()] == ["bob", "Carl"]
    assert (peers[carl].name, peers[carl].joined_at) == ("C", 3.0)
    assert peers.get(PeerId("x")) is None
    with pytest.raises(KeyError):
        peers[PeerId("x")]
    merged.receive(ParticipantLeft(link=one, identity="bob"), now=4.0)
    assert peers[bob].joined_at == 0.0


def test_profiles_and_traffic_of_a_peer() -> None:
    merged, _, other = two_rooms()
    bob = PeerId("bob")
    assert merged.traffic(bob) is not None
    merged.receive_data("bob", b"\xff", link=other.link, now=0.0)
    merged.receive_data("bob", b"", link=77, now=0.0)
    merged.receive_acknowledged([1], link=77, now=0.0)
    assert merged.counters["late"] == 2
    traffic = merged.traffic(bob)
    assert traffic is not None
    assert traffic.rejected == 1
    assert merged.profile(bob) is None
    assert merged.request_profile(bob)
    assert not merged.request_profile(bob)


def test_without_a_room_nobody_can_be_asked() -> None:
    with pytest.raises(NotInARoom, match="no room is open"):
        MergedRooms().request_profile(PeerId("bob"))


def test_who_is_known_to_a_movement_source_alone_has_no_profile() -> None:
    merged = MergedRooms()
    source = MemorySource(merged.new_link())
    merged.attach(source, now=0.0)
    merged.receive(LinkOpened(link=source.link, identity="me", room="m", participants=people("bob")), now=0.0)
    with pytest.raises(LocalProtocolError, match="no room has this peer"):
        merged.request_profile(PeerId("bob"))
    merged.receive_data("bob", b"", link=source.link.link, now=0.0)
    assert merged.counters["late"] == 1


def test_the_timer_behind_the_deadline() -> None:
    assert MergedRooms().deadline_reason is None
    merged, one, other = two_rooms()
    assert (merged.deadline(), merged.deadline_reason) == (1.0, Timer.ANNOUNCE)
    for link in (one, other):
        merged.receive(CommandCompleted(link=link, what="SetAttributes"), now=0.0)
    assert merged.deadline_reason is None
    merged.move((1.0, 0.0, 0.0), now=0.0)
    assert merged.deadline_reason is Timer.MOVE
    alone = MergedRooms()
    alone.attach(MemorySource(alone.new_link()), now=0.0)
    assert (alone.deadline(), alone.deadline_reason) == (20.0, None)


# --- ws-rooms


class Town:
    """A view that may sign, and its sockets."""

    def __init__(self) -> None:
        self.merged = MergedRooms(address=identity().address, guard=GUARD, profile_version=7)
        self.merged.receive(ClockSet(unix_offset=NOW), now=0.0)
        self.links: list[LinkRef] = []

    def drain(self) -> list[object]:
        commands = self.merged.commands()
        self.links += [command.link for command in commands if isinstance(command, OpenSocket)]
        return commands

    def challenge(self, link: LinkRef) -> SignatureNeeded:
        self.merged.receive(SocketOpened(link=link, place=Place.PUBLIC), now=0.0)
        packet = WsPacket(challenge_message=WsChallengeRequired("dcl-x", already_connected=False))
        self.merged.receive(FrameReceived(link=link, data=encode(packet)), now=0.0)
        (needed,) = [event for event in self.merged.events() if isinstance(event, SignatureNeeded)]
        return needed

    def sign(self, needed: SignatureNeeded, link: LinkRef) -> None:
        self.merged.provide_signature(needed.request, identity().sign(needed.payload), now=0.0)
        self.merged.receive(FrameReceived(link=link, data=encode(WsPacket(welcome_message=WsWelcome(7)))), now=0.0)


def test_a_ws_room_is_signed_for_through_the_view() -> None:
    town = Town()
    town.merged.go(WS_ROOM, RoomRole.ISLAND, within=Place.PUBLIC, now=0.0)
    (command,) = town.drain()
    assert isinstance(command, OpenSocket)
    assert command.within is Place.PUBLIC
    (link,) = town.links
    needed = town.challenge(link)
    town.sign(needed, link)
    (room,) = town.merged.rooms.values()
    assert (room.sending, room.identity) == (True, PeerId(ME))
    assert any(isinstance(command, SendFrame) for command in town.drain())
    town.merged.provide_signature(99, identity().sign("dcl-x"))
    town.merged.refuse_signature(99)
    town.merged.refuse_signature(needed.request)
    assert town.merged.counters["late"] == 2


def test_of_two_rooms_of_one_service_the_old_one_is_left_first() -> None:
    town = Town()
    town.merged.go(WS_ROOM, RoomRole.ISLAND, now=0.0)
    town.drain()
    (link,) = town.links
    town.sign(town.challenge(link), link)
    town.merged.go(WsRoomAdapter("wss://realm.example/rooms/other"), RoomRole.ISLAND, now=1.0)
    town.drain()
    assert town.links == [link]
    # And back again, before it is left.
    town.merged.go(WsRoomAdapter(WS_ROOM.url + "?x=1"), RoomRole.ISLAND, now=1.0)
    town.merged.receive(SocketClosed(link=link, reason=CloseReason.CLIENT), now=1.1)
    town.drain()
    assert len(town.links) == 2
    assert town.merged.goal(RoomRole.ISLAND) == WsRoomAdapter(WS_ROOM.url + "?x=1")
    town.merged.withdraw(RoomRole.ISLAND, now=2.0)
    town.merged.withdraw(RoomRole.SCENE, now=2.0)
    assert town.merged.goal(RoomRole.ISLAND) is town.merged.goal(RoomRole.SCENE) is None


def test_a_ws_room_on_its_way_is_called_off_at_once_and_one_that_nobody_signs_for_is_over_already() -> None:
    town = Town()
    town.merged.go(WS_ROOM, RoomRole.ISLAND, now=0.0)
    town.drain()
    town.merged.go(WsRoomAdapter("wss://elsewhere.example/rooms/b"), RoomRole.ISLAND, now=0.0)
    assert [type(command) for command in town.drain()] == [CloseSocket]
    (closed,) = town.merged.events()
    assert isinstance(closed, RoomClosed)
    assert closed.reason is CloseReason.SIGNING_REFUSED
    town.merged.go(WsRoomAdapter("wss://realm.example/rooms/c"), RoomRole.ISLAND, now=0.0)
    town.merged.receive(SocketClosed(link=town.links[0], reason=CloseReason.CLIENT), now=0.1)
    town.drain()
    assert len(town.links) == 2


def test_rooms_with_a_path_of_their_own_are_in_no_service_that_has_this_rule() -> None:
    town = Town()
    town.merged.go(WsRoomAdapter("wss://realm.example/realm/rooms/a"), RoomRole.ISLAND, now=0.0)
    town.merged.go(WsRoomAdapter("wss://realm.example/realm/rooms/b"), RoomRole.SCENE, now=0.0)
    town.merged.go(WsRoomAdapter("wss://realm.example/realm/rooms/a"), RoomRole.OTHER, now=0.0)
    town.drain()
    assert len(town.links) == 2


def test_what_is_no_room() -> None:
    with pytest.raises(LocalProtocolError, match="not OfflineAdapter"):
        MergedRooms().go(OfflineAdapter("x"), RoomRole.ISLAND)
    with pytest.raises(LocalProtocolError, match="wants a signature"):
        MergedRooms().join(WS_ROOM, RoomRole.ISLAND)


def test_nobody_signs() -> None:
    town = Town()
    town.merged.go(WS_ROOM, RoomRole.ISLAND, now=0.0)
    town.drain()
    needed = town.challenge(town.links[0])
    town.merged.refuse_signature(needed.request, "no", now=0.5)
    (closed,) = town.merged.events()
    assert isinstance(closed, RoomClosed)
    assert (closed.reason, closed.retry) == (CloseReason.NOT_SIGNED, Retry.FRESH_CREDENTIALS)
    assert town.merged.goal(RoomRole.ISLAND) is None


def test_requests_that_are_long_over_are_forgotten() -> None:
    town = Town()
    town.merged.go(WS_ROOM, RoomRole.ISLAND, now=0.0)
    first = 0
    for number in range(10):
        town.merged.withdraw(RoomRole.ISLAND, now=float(number))
        town.drain()
        for link in town.links[-1:]:
            town.merged.receive(SocketClosed(link=link, reason=CloseReason.CLIENT), now=float(number))
        town.merged.go(WS_ROOM, RoomRole.ISLAND, now=float(number))
        town.drain()
        needed = town.challenge(town.links[-1])
        first = first or needed.request
    late = town.merged.counters["late"]
    town.merged.refuse_signature(first)
    assert town.merged.counters["late"] == late + 1
