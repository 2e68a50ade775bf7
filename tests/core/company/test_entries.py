"""What is known of a peer: in one room, in several, and through movement sources."""

from __future__ import annotations

from typing import Any

from rigs.core.merged import Town
from rigs.core.room import Rig, people, wire

from dcl_comms_core import (
    AnnounceProfileVersion,
    Delivery,
    LinkOpened,
    LinkRef,
    MergedRooms,
    Movement,
    MovementCodec,
    Packet,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    PeersOfRooms,
    Position,
    RoomRole,
    SimulatorAdapter,
    SpeakersHeard,
    Track,
    TrackAppeared,
    TrackKind,
    TrackVanished,
    encode,
)
from dcl_comms_core.testing import MemorySource

VOICE = Track(sid="TR_1", kind=TrackKind.AUDIO)
FACE = Track(sid="TR_2", kind=TrackKind.VIDEO)


def version(number: int) -> bytes:
    return wire(profile_version=AnnounceProfileVersion(profile_version=number))


# --- one room


def test_nothing_is_known_of_who_told_nothing() -> None:
    peer = Rig().join("alice").session.peers["alice"]
    assert (peer.position, peer.moved_at, peer.profile_version, peer.speaking, peer.tracks) == (None,) * 3 + (False, ())
    assert (peer.velocity, peer.yaw, peer.rooms) == ((0.0, 0.0, 0.0), 0.0, ("main",))


def test_where_a_peer_is_and_how_it_moves() -> None:
    rig = Rig().join("alice", "bob")
    rig.now = 3.0
    movement = Movement(position_x=1.0, position_y=2.0, position_z=3.0, velocity_x=4.0, rotation_y=90.0, timestamp=1.0)
    rig.data(wire(movement=movement), sender="alice")
    before = rig.session.peers["alice"]
    assert (before.position, before.velocity, before.yaw, before.moved_at) == (
        (1.0, 2.0, 3.0),
        (4.0, 0.0, 0.0),
        90.0,
        3.0,
    )
    rig.now = 4.0
    # An older one is no news.
    rig.data(wire(movement=Movement(position_x=9.0, timestamp=0.5)), sender="alice")
    assert rig.session.peers["alice"] == before
    rig.data(wire(position=Position(index=1, position_x=5.0, rotation_w=1.0)), sender="alice")
    after = rig.session.peers["alice"]
    assert (after.position, after.moved_at) == ((5.0, 0.0, 0.0), 4.0)
    assert before.position == (1.0, 2.0, 3.0)
    assert rig.session.peers["bob"].position is None
    assert [(who.text, place.x) for who, place in rig.session.peers.places()] == [("alice", 5.0)]


def test_a_compressed_movement_says_it_too() -> None:
    codec = MovementCodec(bounds=((-150, -150), (163, 158)))
    rig = Rig(movement_codec=codec).join("alice")
    squeezed = codec.compress(Movement(position_x=8.0, timestamp=1.0), allow_unreadable=True)
    event = rig.data(encode(Packet(movement_compressed=squeezed, protocol_version=100)))
    assert rig.session.peers["alice"].position == event.position


def test_what_came_before_its_sender_was_named_is_known_of_it() -> None:
    rig = Rig().join()
    rig.data(wire(movement=Movement(position_x=2.0, timestamp=1.0)), sender=None, source=7)
    rig.data(version(3), sender=None, source=7)
    rig.data(wire(position=Position(index=1, position_x=4.0, rotation_w=1.0)), sender=None, source=8)
    rig.tell(ParticipantJoined, participant=people("alice")[0], source=7)
    peer = rig.session.peers["alice"]
    assert (peer.position, peer.profile_version) == ((2.0, 0.0, 0.0), 3)


def test_the_version_of_a_profile_is_the_last_one() -> None:
    rig = Rig().join("alice")
    for number in (3, 5):
        rig.data(version(number))
        assert rig.session.peers["alice"].profile_version == number
    # Of a stranger nothing is kept.
    rig.data(version(7), sender="nobody")
    assert "nobody" not in rig.session.peers


def test_tracks_and_speakers() -> None:
    rig = Rig().join("alice", "bob")
    rig.tell(TrackAppeared, identity="alice", track=VOICE)
    rig.tell(TrackAppeared, identity="ALICE", track=FACE)
    rig.tell(SpeakersHeard, identities=("alice", "somebody else"))
    alice, bob = rig.session.peers.values()
    assert (alice.tracks, alice.speaking) == ((VOICE, FACE), True)
    assert (bob.tracks, bob.speaking) == ((), False)
    rig.tell(TrackVanished, identity="alice", sid="TR_1")
    rig.tell(SpeakersHeard, identities=("bob",))
    assert rig.session.peers["alice"].tracks == (FACE,)
    assert [peer.speaking for peer in rig.session.peers.values()] == [False, True]
    rig.tell(ParticipantLeft, identity="bob")
    rig.tell(ParticipantJoined, participant=people("bob")[0])
    assert not rig.session.peers["bob"].speaking


def test_raw_packets_tell_nothing() -> None:
    rig = Rig(delivery=Delivery.PACKETS).join("alice")
    rig.data(wire(movement=Movement(position_x=2.0)))
    assert rig.session.peers["alice"].position is None


def test_what_a_peer_says_of_itself_is_there_beside() -> None:
    rig = Rig().join("alice")
    rig.data(wire(movement=Movement(position_x=2.0)))
    rig.tell(ParticipantUpdated, participant=Participant(identity="alice", sid="PA_alice", name="Alice"))
    peer = rig.session.peers["alice"]
    assert (peer.name, peer.position) == ("Alice", (2.0, 0.0, 0.0))


# --- several rooms


class View:
    """Two rooms whose transports are played by the test."""

    def __init__(self) -> None:
        self.merged = MergedRooms()
        self.peers = PeersOfRooms(self.merged)
        self.links: dict[str, LinkRef] = {}
        for role in (RoomRole.ISLAND, RoomRole.SCENE):
            session = self.merged.join(SimulatorAdapter(role.value), role, now=0.0)
            self.links[role.value] = session.link
            self.merged.commands()
            self.tell(role.value, LinkOpened, identity="me", room=role.value, participants=people("alice"))

    def tell(self, label: str, kind: Any, **fields: Any) -> None:
        self.merged.receive(kind(link=self.links[label], **fields), now=1.0)
        self.merged.events()

    def data(self, label: str, data: bytes) -> None:
        self.merged.receive_data("alice", data, link=self.links[label].link, now=2.0)
        self.merged.events()


def test_of_several_rooms_all_is_known_together() -> None:
    view = View()
    view.data("island", wire(movement=Movement(position_x=1.0, timestamp=1.0)))
    view.data("scene", wire(movement=Movement(position_x=1.0, timestamp=1.0)))
    view.data("scene", version(4))
    view.tell("island", TrackAppeared, identity="alice", track=VOICE)
    view.tell("scene", TrackAppeared, identity="alice", track=FACE)
    view.tell("scene", SpeakersHeard, identities=("alice",))
    view.tell("island", ParticipantUpdated, participant=Participant(identity="alice", sid="PA_alice", name="Alice"))
    peer = view.peers["Alice"]
    assert (peer.rooms, peer.tracks, peer.speaking) == (("island", "scene"), (VOICE, FACE), True)
    assert (peer.position, peer.moved_at, peer.profile_version, peer.name) == ((1.0, 0.0, 0.0), 2.0, 4, "Alice")
    assert [(who.text, place.x) for who, place in view.peers.places()] == [("alice", 1.0)]


def test_what_a_room_told_is_known_when_the_peer_left_that_one() -> None:
    view = View()
    view.data("island", wire(movement=Movement(position_x=1.0, timestamp=1.0)))
    view.data("island", version(4))
    view.tell("island", ParticipantLeft, identity="alice")
    peer = view.peers["alice"]
    assert (peer.rooms, peer.position, peer.profile_version) == (("scene",), (1.0, 0.0, 0.0), 4)
    view.tell("scene", ParticipantLeft, identity="alice")
    assert view.peers.get("alice") is None
    view.tell("scene", ParticipantJoined, participant=people("alice")[0])
    assert view.peers["alice"].position is None
    assert not list(view.peers.places())


def test_a_movement_source_says_where_somebody_is_who_is_in_no_room() -> None:
    here = Town()
    one, two = (here.client(name) for name in ("one", "two"))
    for client in (one, two):
        client.merged.attach(MemorySource(client.merged.new_link()), now=here.clock.now)
    here.run()
    one.merged.move((1.0, 2.0, 3.0), now=here.clock.now)
    here.run()
    peer = PeersOfRooms(two.merged)["ONE"]
    assert (peer.id.text, peer.position, peer.rooms, peer.name) == ("one", (1.0, 2.0, 3.0), (), "")
    assert two.merged.rooms_of("one") == ()
    assert "one" in two.merged.peers
    assert two.merged.traffic("one") is None
