"""A world and the sessions of its rooms: packets through the one, verbs of the other, and what is asked of all rooms."""

from __future__ import annotations

from rigs.core.room import people, wire

from dcl_comms_core import (
    Chat,
    ChatReceived,
    CloseReason,
    LinkClosed,
    LinkOpened,
    LinkRef,
    PeerId,
    PeerLeft,
    PeerMoved,
    RoomClosed,
    RoomState,
    SendData,
    SubscribeTrack,
    Track,
    TrackAppeared,
    TrackKind,
    TrackSource,
    WorldClosed,
    WorldSession,
)
from dcl_comms_core.packets.motion import build_movement

TRACK = Track(sid="TR_1", name="mic", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE)


def inside() -> tuple[WorldSession, LinkRef]:
    """A world that is in the room of a connection string, in which alice is."""
    world = WorldSession("simulator:x", announce=False)
    world.open(now=0.0)
    (opening,) = world.commands()
    world.receive(LinkOpened(link=opening.link, identity="me", room="x", participants=people("alice")), now=0.0)
    world.commands()
    world.events()
    return world, opening.link


def said(text: str, stamp: float) -> bytes:
    return wire(chat=Chat(message=text, timestamp=stamp))


def test_what_is_done_with_a_room_itself_is_the_worlds_commands_events_and_deadline() -> None:
    world, link = inside()
    room = world.rooms[link.link]
    assert world.deadline() is None
    room.chat("directly", now=1.0)
    assert [type(command) for command in world.commands()] == [SendData]
    room.move((1.0, 0.0, 0.0), now=2.0)
    assert world.deadline() == room.deadline() is not None
    room.receive_data("alice", said("x", 1.0), now=2.0)
    assert [event.text for event in world.events() if isinstance(event, ChatReceived)] == ["x"]
    assert world.deadline() == room.deadline()
    room.move((2.0, 0.0, 0.0), instant=True, now=3.0)
    assert len(world.commands()) == 2
    assert world.deadline() == room.deadline()


def test_a_room_that_is_left_by_itself_is_noticed() -> None:
    world, link = inside()
    world.rooms[link.link].receive(LinkClosed(link=link, reason=CloseReason.NETWORK), now=1.0)
    assert [type(event) for event in world.events()] == [PeerLeft, RoomClosed, WorldClosed]
    assert world.state is RoomState.CLOSED


def test_packets_that_come_both_ways_are_told_in_the_order_in_which_they_came() -> None:
    world, link = inside()
    room = world.rooms[link.link]
    world.receive_data("alice", said("1", 1.0), link=link.link, now=1.0)
    room.receive_data("alice", said("2", 2.0), now=1.0)
    world.receive_data("alice", said("3", 3.0), link=link.link, now=1.0)
    movement = wire(movement=build_movement((1.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, 1.0, grounded=True, instant=False))
    world.receive_data("alice", movement, link=link.link, now=1.0)
    texts = [event.text if isinstance(event, ChatReceived) else type(event) for event in world.events()]
    assert texts == ["1", "2", "3", PeerMoved]
    assert world.events() == []


def test_a_version_may_be_told_to_some() -> None:
    world, _ = inside()
    world.announce_profile(3, to=PeerId("alice"))
    (told,) = world.commands()
    assert isinstance(told, SendData)
    assert told.to == ("alice",)


def test_tracks_are_those_of_all_rooms() -> None:
    world, link = inside()
    world.receive(TrackAppeared(link=link, identity="alice", track=TRACK), now=1.0)
    assert (world.room_with("TR_1"), world.room_with("TR_2")) == (link.link, None)
    assert world.subscribe("TR_1", now=1.0)
    assert [type(command) for command in world.commands()] == [SubscribeTrack]
    world.check_publish(TrackSource.MICROPHONE)
    assert world.room_to_publish(TrackSource.MICROPHONE) == link.link
