"""Peers, their tracks, and packets whose sender was not known when they came: as a RoomSession tells them."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import STEADY, Rig, kinds, wire

from dcl_comms_core import (
    Chat,
    ChatReceived,
    DataReceived,
    LimitReached,
    Limits,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    PeerId,
    PeerIdentified,
    PeerJoined,
    PeerLeft,
    PeerUpdated,
    Scene,
    Track,
    TrackAppeared,
    TrackAttached,
    TrackDetached,
    TrackKind,
    TrackMuteChanged,
    TrackMuted,
    TrackPublished,
    TrackSource,
    TrackSubscribed,
    TrackUnpublished,
    TrackUnsubscribed,
    TrackVanished,
)


def joined(*present: str, **options: Any) -> Rig:
    rig = Rig(**options).join(*present)
    rig.take_events()
    return rig


def join(rig: Rig, identity: str, sid: str = "", source: int | None = None, **more: str) -> list[Any]:
    rig.tell(ParticipantJoined, participant=Participant(identity=identity, sid=sid, **more), source=source)
    return rig.take_events()


def leave(rig: Rig, identity: str) -> list[Any]:
    rig.tell(ParticipantLeft, identity=identity)
    return rig.take_events()


def said(event: Any) -> tuple[str, str]:
    return type(event).__name__, event.sender.text


# --- peers


def test_peers_come_and_go() -> None:
    rig = joined("alice")
    rig.now = 2.0
    assert join(rig, "Bob", "PA_1", name="Robert", metadata="{}") == [
        PeerJoined(at=2.0, room="main", sender=PeerId("Bob"))
    ]
    assert [who.text for who in rig.session.peers] == ["alice", "Bob"]
    bob = rig.session.peers[PeerId("bob")]
    assert (bob.id.text, bob.joined_at, bob.sid, bob.name, bob.metadata) == ("Bob", 2.0, "PA_1", "Robert", "{}")
    assert PeerId("BOB") in rig.session.peers
    assert len(rig.session.peers) == 2
    assert leave(rig, "bob") == [PeerLeft(at=2.0, room="main", sender=PeerId("Bob"))]
    assert leave(rig, "bob") == []
    assert rig.session.peers.get(PeerId("bob")) is None
    with pytest.raises(KeyError):
        _ = rig.session.peers[PeerId("bob")]


def test_the_table_may_change_while_it_is_read() -> None:
    rig = joined("alice", "bob")
    for who in rig.session.peers:
        leave(rig, who.text)
    assert rig.session.peers.values() == ()


def test_joining_twice_tells_once_and_takes_the_news() -> None:
    rig = joined()
    join(rig, "alice", "PA_1", name="old")
    (updated,) = join(rig, "Alice", "PA_1", name="new")
    assert (type(updated), updated.sender.text, updated.name) == (PeerUpdated, "alice", "new")
    assert join(rig, "Alice", "PA_1", name="new") == []
    assert [(peer.id.text, peer.name) for peer in rig.session.peers.values()] == [("alice", "new")]


def test_a_new_session_id_means_that_the_sender_restarted() -> None:
    rig = joined()
    join(rig, "alice", "PA_1")
    assert list(map(said, join(rig, "ALICE", "PA_2"))) == [("PeerLeft", "alice"), ("PeerJoined", "ALICE")]
    (peer,) = rig.session.peers.values()
    assert (peer.id.text, peer.sid) == ("ALICE", "PA_2")
    # The exact text is the newer one's from here on.
    rig.session.send_bytes(b"", to=peer)
    assert rig.sent()[0].to == ("ALICE",)
    assert rig.data(wire(chat=Chat()), sender="ALICE").sender is peer.id


def test_updates() -> None:
    rig = joined("alice")
    rig.tell(ParticipantUpdated, participant=Participant(identity="ALICE", name="A", metadata="m"))
    rig.tell(ParticipantUpdated, participant=Participant(identity="stranger", name="S"))
    assert [(peer.id.text, peer.sid, peer.name, peer.metadata) for peer in rig.session.peers.values()] == [
        ("alice", "PA_alice", "A", "m")
    ]
    assert kinds(rig.take_events()) == ["PeerUpdated"]


def test_one_peer_is_one_object_in_all_its_packets() -> None:
    rig = joined("alice")
    first = rig.data(wire(chat=Chat()), sender="alice")
    assert rig.data(wire(chat=Chat()), sender="alice").sender is first.sender is next(iter(rig.session.peers))


def test_the_table_of_peers_is_bounded() -> None:
    rig = joined("a", limits=Limits(peers=2))
    assert kinds(join(rig, "b")) == ["PeerJoined"]
    assert join(rig, "c") == [LimitReached(at=0.0, room="main", limit="peers", value=2)]
    assert join(rig, "d") == []
    assert [who.text for who in rig.session.peers] == ["a", "b"]
    # A restart needs no second place.
    assert kinds(join(rig, "a", "PA_2")) == ["PeerLeft", "PeerJoined"]
    # Packets of those beyond still come, under their names.
    assert rig.data(wire(chat=Chat()), sender="c").sender.text == "c"
    rig.take_events()
    # It is told again each time the table fills up.
    assert leave(rig, "c") == []
    assert kinds(leave(rig, "b")) == ["PeerLeft"]
    assert kinds(join(rig, "e")) == ["PeerJoined"]
    assert kinds(join(rig, "f")) == ["LimitReached"]
    assert join(rig, "g") == []


def test_who_has_too_long_an_identity_is_no_peer_and_no_sender() -> None:
    rig = joined("a")
    long, longest = "x" * 257, "x" * 256
    assert kinds(join(rig, longest)) == ["PeerJoined"]
    (told,) = join(rig, long)
    assert (told.limit, told.value) == ("identity_chars", 256)
    assert join(rig, long + "y") == leave(rig, long) == []
    assert [who.text for who in rig.session.peers] == ["a", longest]
    assert rig.data(wire(chat=Chat(message="1")), sender=long).sender is None
    assert rig.data(wire(chat=Chat(message="2")), sender="y" * 256).sender is not None
    rig.take_events()
    track = Track(sid="TR_1", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE, name="mic")
    rig.tell(TrackAppeared, identity=long, track=track)
    assert rig.take_events() == []


def test_what_peers_say_of_themselves_is_bounded() -> None:
    def known(who: str) -> Any:
        peer = rig.session.peers[PeerId(who)]
        return peer.name, peer.metadata, dict(peer.attributes)

    def update(who: str, **more: Any) -> list[Any]:
        rig.tell(ParticipantUpdated, participant=Participant(identity=who, **more))
        return rig.take_events()

    rig = joined(limits=Limits(peers_bytes=1_000))
    assert kinds(join(rig, "a", metadata="x" * 500)) == ["PeerJoined"]
    # Four bytes a character, once one of them is not ASCII.
    assert kinds(join(rig, "b", metadata="é" + "x" * 125)) == ["PeerJoined", "LimitReached"]
    assert (known("a"), known("b")) == (("", "x" * 500, {}), ("", "", {}))
    # It is told all the same, and kept once there is room.
    (updated,) = update("b", metadata="x" * 501)
    assert len(updated.metadata) == 501
    assert known("b") == ("", "", {})
    assert kinds(update("b", name="bob", attributes=(("k", "v" * 496),))) == ["PeerUpdated"]
    assert known("b") == ("bob", "", {"k": "v" * 496})
    assert kinds(update("b", name="bobby")) == ["PeerUpdated"]
    assert kinds(update("a", metadata="x" * 995)) == ["PeerUpdated"]
    assert kinds(leave(rig, "a")) == ["PeerLeft"]
    assert kinds(join(rig, "c", metadata="x" * 996)) == ["PeerJoined", "LimitReached"]
    assert kinds(join(rig, "d", metadata="x" * 995)) == ["PeerJoined"]


def test_a_room_that_is_too_full_from_the_start() -> None:
    rig = Rig(limits=Limits(peers=1)).join("a", "b", "c")
    assert kinds(rig.take_events()) == ["RoomOpened", "PeerJoined", "LimitReached"]


# --- early packets


def test_earlier_packets_get_their_sender() -> None:
    rig = joined()
    for text, source in (("1", 7), ("2", 8), ("3", 7), ("4", None)):
        event = rig.data(wire(chat=Chat(message=text)), sender=None, source=source)
        assert event.sender is None
    rig.take_events()
    rig.now = 1.0
    came, identified = join(rig, "alice", "PA_1", source=7)
    assert kinds([came, identified]) == ["PeerJoined", "PeerIdentified"]
    assert (identified.at, identified.sender) == (1.0, PeerId("alice"))
    assert [(event.text, event.sender, event.at) for event in identified.early] == [
        ("1", PeerId("alice"), 0.0),
        ("3", PeerId("alice"), 0.0),
    ]
    # Told once; others wait on.
    assert join(rig, "alice", "PA_1", source=7) == []
    (_, second) = join(rig, "bob", "PA_2", source=8)
    assert [event.text for event in second.early] == ["2"]
    assert kinds(join(rig, "carol", "PA_3", source=9)) == ["PeerJoined"]


def test_earlier_packets_of_a_peer_that_is_known_already() -> None:
    rig = joined("alice")
    rig.data(b"\xff", sender=None, source=7)
    rig.take_events()
    (identified,) = join(rig, "alice", "PA_alice", source=7)
    assert isinstance(identified, PeerIdentified)
    assert said(identified.early[0]) == ("PacketRejected", "alice")


def test_a_packet_with_a_sender_is_not_an_early_one() -> None:
    rig = joined()
    rig.tell(DataReceived, sender="alice", data=wire(chat=Chat()), source=7)
    rig.tell(DataReceived, sender=None, data=wire(chat=Chat(message="x")), source=7)
    rig.take_events()
    (_, identified) = join(rig, "alice", source=7)
    assert [event.text for event in identified.early] == ["x"]


@pytest.mark.parametrize(("limit", "kept"), [(2, ["3", "4"]), (1, ["4"]), (0, [])])
def test_the_oldest_early_packets_are_let_go(limit: int, kept: list[str]) -> None:
    rig = joined(limits=Limits(early_packets=limit))
    for number in range(5):
        rig.data(wire(chat=Chat(message=str(number))), sender=None, source=7)
    rig.take_events(ChatReceived)
    identified = [event for event in join(rig, "alice", source=7) if isinstance(event, PeerIdentified)]
    assert [event.text for found in identified for event in found.early] == kept


def test_large_early_packets_are_bounded_by_their_bytes() -> None:
    rig = joined(limits=Limits(early_bytes=1_000))
    for number, source in enumerate((7, 8, 7, 7)):
        rig.data(wire(scene=Scene(scene_id=str(number), data=bytes(400))), sender=None, source=source)
    (_, identified) = join(rig, "alice", source=7)[-2:]
    assert [event.scene_id for event in identified.early] == ["2", "3"]
    # What was taken makes room for others.
    for number in range(3):
        rig.data(wire(scene=Scene(scene_id=str(number), data=bytes(400))), sender=None, source=8)
    (_, identified) = join(rig, "bob", source=8)[-2:]
    assert [event.scene_id for event in identified.early] == ["1", "2"]
    # One that is too large for itself is not kept.
    rig.data(wire(scene=Scene(data=bytes(1_001))), sender=None, source=9)
    rig.take_events()
    assert kinds(join(rig, "carol", source=9)) == ["PeerJoined"]


def test_handles_of_an_old_link_name_nobody_on_a_new_one() -> None:
    rig = joined(reconnect=STEADY)
    rig.data(wire(chat=Chat(message="whose?")), sender=None, source=7)
    rig.lose()
    rig.timer()
    rig.join()
    rig.take_events()
    assert kinds(join(rig, "mallory", source=7)) == ["PeerJoined"]


# --- tracks

MIC = Track(sid="TR_1", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE, name="mic")
CAMERA = Track(sid="TR_2", kind=TrackKind.VIDEO)


def appear(rig: Rig, identity: str, track: Track) -> list[Any]:
    rig.tell(TrackAppeared, identity=identity, track=track)
    return rig.take_events()


def test_the_life_of_a_track() -> None:
    rig = joined("alice")
    alice = next(iter(rig.session.peers))
    rig.now = 1.0
    common = {"at": 1.0, "room": "main", "sender": alice}
    assert appear(rig, "alice", MIC) == [TrackPublished(**common, track=MIC)]
    rig.tell(TrackAttached, identity="alice", sid="TR_1")
    assert rig.take_events() == [TrackSubscribed(**common, track=MIC)]
    rig.tell(TrackMuteChanged, identity="alice", sid="TR_1", muted=True)
    (muted,) = rig.take_events()
    assert isinstance(muted, TrackMuted)
    assert muted.track.muted
    assert (muted.track.sid, muted.track.source) == ("TR_1", TrackSource.MICROPHONE)
    rig.tell(TrackDetached, identity="alice", sid="TR_1")
    assert rig.take_events() == [TrackUnsubscribed(**common, track=muted.track)]
    rig.tell(TrackVanished, identity="alice", sid="TR_1")
    assert rig.take_events() == [TrackUnpublished(**common, track=muted.track)]
    assert rig.session.counters["unknown_track"] == 0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(TrackAttached, {}), (TrackDetached, {}), (TrackMuteChanged, {"muted": True}), (TrackVanished, {})],
)
def test_a_track_that_nobody_told_of(kind: Any, fields: dict[str, Any]) -> None:
    rig = joined("alice")
    rig.tell(kind, identity="alice", sid="TR_9", **fields)
    assert rig.take_events() == []
    assert rig.session.counters["unknown_track"] == 1


def test_tracks_leave_with_their_peer() -> None:
    rig = joined("alice", "bob")
    appear(rig, "Alice", MIC)
    appear(rig, "bob", CAMERA)
    gone = leave(rig, "alice")
    assert kinds(gone) == ["TrackUnpublished", "PeerLeft"]
    assert gone[0].track == MIC
    rig.tell(TrackAttached, identity="bob", sid="TR_2")
    assert kinds(rig.take_events()) == ["TrackSubscribed"]


def test_a_track_that_somebody_else_publishes_leaves_with_them() -> None:
    rig = joined("alice", "bob")
    appear(rig, "alice", MIC)
    appear(rig, "alice", CAMERA)
    appear(rig, "bob", MIC)
    assert [(event.sender.text, event.track) for event in leave(rig, "alice")[:-1]] == [("alice", CAMERA)]
    assert [(event.sender.text, event.track) for event in leave(rig, "bob")[:-1]] == [("bob", MIC)]


def test_tracks_leave_with_a_participant_that_had_no_place_in_the_table() -> None:
    rig = joined(limits=Limits(peers=0))
    assert kinds(join(rig, "alice")) == ["LimitReached"]
    assert kinds(appear(rig, "alice", MIC)) == ["TrackPublished"]
    assert kinds(leave(rig, "alice")) == ["TrackUnpublished"]


def test_the_table_of_tracks_is_bounded() -> None:
    rig = joined("alice", limits=Limits(tracks=1))
    assert kinds(appear(rig, "alice", MIC)) == ["TrackPublished"]
    assert appear(rig, "alice", CAMERA) == [LimitReached(at=0.0, room="main", limit="tracks", value=1)]
    assert appear(rig, "alice", CAMERA) == []
    # One that is known may be told again.
    assert kinds(appear(rig, "alice", MIC)) == ["TrackPublished"]
    rig.tell(TrackVanished, identity="alice", sid="TR_1")
    assert kinds(rig.take_events()) == ["TrackUnpublished"]
    assert kinds(appear(rig, "alice", CAMERA)) == ["TrackPublished"]
    assert kinds(appear(rig, "alice", MIC)) == ["LimitReached"]


def test_a_new_link_offers_every_track_anew() -> None:
    rig = joined("alice", reconnect=STEADY)
    appear(rig, "alice", MIC)
    rig.lose()
    rig.timer()
    rig.take_events()
    rig.join("alice")
    assert kinds(rig.take_events()) == ["Reconnected", "TrackUnpublished"]
    assert kinds(appear(rig, "alice", MIC)) == ["TrackPublished"]
