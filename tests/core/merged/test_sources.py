"""A movement source beside the rooms: heard, not twice, given what it should, and the one in memory by itself."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import pytest
from rigs.core.merged import Client, Town
from rigs.core.room import people, wire

from dcl_comms_core import (
    AnnounceProfileVersion,
    Chat,
    ClockSet,
    CloseLink,
    CloseReason,
    DataReceived,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    Movement,
    OpenLink,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PlayerEmote,
    RoomClosed,
    RoomOpened,
    SendData,
    decode,
)
from dcl_comms_core.avatars.emotes import Emotes
from dcl_comms_core.limits import Limits
from dcl_comms_core.testing import MemorySource

if TYPE_CHECKING:
    from dcl_comms_core import MovementSource


def with_source(here: Town, identity: str, *rooms: str) -> Client:
    client = here.client(identity, *rooms)
    source: MovementSource = MemorySource(client.merged.new_link())
    client.merged.attach(source, now=here.clock.now)
    return client


def moved(client: Client) -> list[tuple[str, float]]:
    return [(event.room, event.position.x) for event in client.take(PeerMoved)]


# --- in a merged view


def test_a_peer_that_only_the_source_has_is_seen_to_come_move_and_go() -> None:
    here = Town()
    alice, bob = with_source(here, "alice", "I1"), with_source(here, "bob")
    here.run()
    (joined,) = alice.take(PeerJoined)
    assert (joined.sender, joined.room) == (PeerId("bob"), "movement")
    bob.merged.move((1.0, 2.0, 3.0), velocity=(0.0, 0.0, 4.0), yaw=-90.0, now=here.clock.now)
    here.run()
    assert alice.merged.rooms_of(PeerId("bob")) == ()
    assert PeerId("bob") in alice.merged.peers
    event, *_ = alice.take(PeerMoved)
    assert (event.sender, event.position, event.velocity, event.yaw) == (
        PeerId("bob"),
        (1.0, 2.0, 3.0),
        (0.0, 0.0, 4.0),
        270.0,
    )
    bob.merged.close(now=here.clock.now)
    here.run()
    (left,) = alice.take(PeerLeft)
    assert (left.sender, left.room) == (PeerId("bob"), "movement")
    assert PeerId("bob") not in alice.merged.peers


def test_a_peer_that_both_have_moves_once_through_the_source_and_through_the_room_when_that_falls_silent() -> None:
    here = Town()
    alice, bob = with_source(here, "alice", "I1"), with_source(here, "bob", "I1")
    here.run()
    assert len(alice.take(PeerJoined)) == 1
    for number in range(10):
        bob.merged.move((float(number), 0.0, 0.0), now=here.clock.now)
        here.run(0.12)
    told = [x for _, x in moved(alice)]
    assert sorted(set(told)) == [float(number) for number in range(10)]
    assert alice.merged.counters["moved_twice"] == len(told)
    bob.merged.close(now=here.clock.now)
    here.run()
    # Another one, whose source and room do not say the same.
    bob = here.client("bob", "I1")
    source = MemorySource(bob.merged.new_link())
    bob.merged.attach(source, now=here.clock.now)
    here.run()
    alice.take()

    def say(transport: Any, x: float) -> list[tuple[str, float]]:
        data = wire(movement=Movement(position_x=x, timestamp=here.clock.now))
        transport.send_bytes(data, reliable=False, now=here.clock.now)
        here.run(1.0)
        return moved(alice)

    room = bob.merged.rooms[1]
    assert say(source, 49.0) == [("movement", 49.0)]
    assert say(room, 50.0) == []
    here.run(5.0)
    assert say(room, 51.0) == [("island", 51.0)]
    # And when the source speaks again, it is the one.
    assert say(source, 52.0) == [("movement", 52.0)]
    assert say(room, 53.0) == []


def test_a_source_that_ends_leaves_movement_to_the_rooms_at_once() -> None:
    here = Town()
    alice, bob = with_source(here, "alice", "I1"), with_source(here, "bob", "I1")
    here.run()
    bob.merged.move((1.0, 0.0, 0.0), now=here.clock.now)
    here.run(0.05)
    (source,) = alice.ports.keys() - alice.merged.rooms.keys()
    alice.merged.leave(source, now=here.clock.now)
    alice.take()
    bob.merged.move((2.0, 0.0, 0.0), now=here.clock.now)
    here.run(0.1)
    assert ("island", 2.0) in moved(alice)
    assert PeerId("bob") in alice.merged.peers


def test_a_source_is_given_movements_emotes_and_profile_versions_and_nothing_else() -> None:
    merged = MergedRooms()
    source = MemorySource(merged.new_link())
    merged.attach(source, now=0.0)
    merged.commands()
    merged.receive(LinkOpened(link=source.link, identity="me", room="movement"), now=0.0)
    merged.move((1.0, 0.0, 0.0), now=0.0)
    merged.emote("wave", to=PeerId("bob"))
    merged.announce_profile(3)
    with pytest.raises(LocalProtocolError):
        merged.chat("hello")
    with pytest.raises(LocalProtocolError):
        merged.scene_message("s", b"")
    sent = [command for command in merged.commands() if isinstance(command, SendData)]
    assert [type(decode(command.data).movement) for command in sent] == [Movement, type(None), type(None)]
    assert decode(sent[1].data).player_emote == PlayerEmote(incremental_id=1, urn=Emotes.WAVE)
    assert (sent[1].to, sent[0].to) == (("bob",), None)
    assert decode(sent[2].data).profile_version == AnnounceProfileVersion(profile_version=3)
    assert merged.rooms == {}


def test_a_sources_link_has_a_number_of_its_own() -> None:
    merged = MergedRooms()
    merged.attach(MemorySource(1), now=0.0)
    with pytest.raises(LocalProtocolError, match="new_link"):
        merged.attach(MemorySource(1))


# --- the one in memory


def source_with(*present: str, **options: Any) -> MemorySource:
    source = MemorySource(7, **options)
    source.open(now=0.0)
    assert [type(command) for command in source.commands()] == [OpenLink]
    source.receive(LinkOpened(link=LinkRef(7, 1), identity="me", room="m", participants=people(*present)), now=0.0)
    assert source.deadline() is None
    return source


def tell(source: MemorySource, kind: Any, **fields: Any) -> list[Any]:
    source.receive(kind(link=source.link, **fields), now=1.0)
    return source.events()


def test_presence_once_each_and_within_the_limit() -> None:
    source = source_with("alice", "bob", "carol", limits=Limits(peers=2))
    assert [type(event) for event in source.events()] == [RoomOpened, PeerJoined, PeerJoined]
    assert tell(source, ParticipantJoined, participant=Participant(identity="Alice")) == []
    assert tell(source, ParticipantLeft, identity="carol") == []
    assert [type(event) for event in tell(source, ParticipantLeft, identity="alice")] == [PeerLeft]
    assert [type(event) for event in tell(source, ParticipantJoined, participant=people("dave")[0])] == [PeerJoined]
    source.receive(ClockSet(unix_offset=0.0), now=1.0)
    assert source.events() == []


@pytest.mark.parametrize(
    ("sender", "data"),
    [
        ("alice", b"\xff"),
        ("alice", wire(chat=Chat(message="hi"))),
        ("alice", wire(movement=Movement(rotation_y=nan))),
        (None, wire(movement=Movement())),
    ],
)
def test_what_tells_of_no_movement_is_counted(sender: str | None, data: bytes) -> None:
    source = source_with("alice")
    source.events()
    assert tell(source, DataReceived, sender=sender, data=data) == []
    assert source.rejected == 1


def test_who_is_not_let_in_gives_up() -> None:
    source = MemorySource(7)
    source.open(now=0.0)
    deadline = source.deadline()
    assert deadline == 20.0
    source.handle_timeout(19.0)
    assert source.events() == []
    source.handle_timeout(deadline)
    assert [event.reason for event in source.events() if isinstance(event, RoomClosed)] == [CloseReason.TIMEOUT]
    assert [type(command) for command in source.commands()] == [OpenLink, CloseLink]
    source.receive(LinkClosed(link=source.link, reason=CloseReason.CLIENT), now=21.0)
    source.close()
    source.handle_timeout(22.0)
    assert (source.events(), source.commands(), source.deadline()) == ([], [], None)


@pytest.mark.parametrize("kind", [LinkFailed, LinkClosed])
def test_a_link_that_ends(kind: Any) -> None:
    source = source_with()
    source.events()
    assert [event.reason for event in tell(source, kind, reason=CloseReason.NETWORK)] == [CloseReason.NETWORK]
    assert not source.sending
