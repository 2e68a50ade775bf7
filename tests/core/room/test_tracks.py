"""A room's tracks, without a session around them: which are asked for, and what may be asked."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import livekit, people

from dcl_comms_core import (
    DEFAULT_LIMITS,
    LocalProtocolError,
    NotInARoom,
    PermissionMissing,
    RoomState,
    Subscribe,
    SubscribeTrack,
    Track,
    TrackAppeared,
    TrackKind,
    TrackMuteChanged,
    TrackPublished,
    TrackSource,
    TrackVanished,
)
from dcl_comms_core.room.incoming.roster import Roster
from dcl_comms_core.room.lifecycle import RECEIVING, Lifecycle
from dcl_comms_core.room.output import Output
from dcl_comms_core.room.permit import Permit
from dcl_comms_core.room.tracks import Tracks
from dcl_comms_core.tools.clock import Clock

VOICE = Track(sid="TR_1", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE)
FACE = Track(sid="TR_2", kind=TrackKind.VIDEO, source=TrackSource.CAMERA)


class Bench:
    """The tracks of an open room in which Alice is."""

    def __init__(self, policy: Any = Subscribe.NONE, *, token: Any = None, state: RoomState = RoomState.OPEN) -> None:
        self.output = Output("main", Clock())
        self.lifecycle = Lifecycle(1, self.output.counters)
        self.lifecycle.state = state
        self.roster = Roster("main", DEFAULT_LIMITS, 1)
        self.roster.replace_all(people("alice"), 0.0)
        self.tracks = Tracks(self.output, self.lifecycle, self.roster, permit=Permit(token), policy=policy)

    def tell(self, kind: Any, **fields: Any) -> list[Any]:
        self.tracks.receive(kind(link=self.lifecycle.link, **fields), 1.0)
        return list(self.output.take_events())

    def publish(self, *tracks: Track) -> None:
        for track in tracks:
            self.tell(TrackAppeared, identity="alice", track=track)

    def asked(self) -> list[tuple[str, str, bool]]:
        commands = self.output.take_commands()
        assert all(isinstance(one, SubscribeTrack) and one.link == self.lifecycle.link for one in commands)
        return [(one.identity, one.sid, one.wanted) for one in commands if isinstance(one, SubscribeTrack)]


def test_a_track_is_told_and_asked_for_by_the_policy() -> None:
    bench = Bench(Subscribe.AUDIO)
    (event,) = bench.tell(TrackAppeared, identity="alice", track=VOICE)
    assert isinstance(event, TrackPublished)
    assert (event.at, event.sender.text, event.track) == (1.0, "alice", VOICE)
    bench.publish(FACE)
    assert bench.asked() == [("alice", "TR_1", True)]


def test_news_of_a_track_that_nobody_published_is_only_counted() -> None:
    bench = Bench()
    assert bench.tell(TrackMuteChanged, identity="alice", sid="TR_9", muted=True) == []
    assert bench.output.counters["unknown_track"] == 1


def test_a_track_is_asked_for_and_declined_by_itself_or_by_its_id() -> None:
    bench = Bench()
    bench.publish(VOICE, FACE)
    assert bench.tracks.subscribe(VOICE, wanted=True)
    assert bench.tracks.subscribe("TR_2", wanted=False)
    assert bench.asked() == [("alice", "TR_1", True), ("alice", "TR_2", False)]


def test_a_track_that_is_gone_can_not_be_asked_for() -> None:
    bench = Bench()
    bench.publish(VOICE)
    assert (bench.tracks.has(VOICE), bench.tracks.has("TR_1")) == (True, True)
    bench.tell(TrackVanished, identity="alice", sid="TR_1")
    assert (bench.tracks.has(VOICE), bench.tracks.subscribe(VOICE, wanted=True), bench.asked()) == (False, False, [])


@pytest.mark.parametrize("state", RoomState)
def test_tracks_are_asked_for_while_the_room_receives_and_published_while_it_is_open(state: RoomState) -> None:
    bench = Bench(state=state)
    bench.publish(VOICE)
    if state in RECEIVING:
        assert bench.tracks.subscribe(VOICE, wanted=True)
    else:
        over = state in {RoomState.CLOSING, RoomState.CLOSED}
        with pytest.raises(LocalProtocolError if over else NotInARoom, match=f"the room is {state.value}"):
            bench.tracks.subscribe(VOICE, wanted=True)
    if state is RoomState.OPEN:
        bench.tracks.check_publish(TrackSource.CAMERA)
    else:
        over = state in {RoomState.CLOSING, RoomState.CLOSED}
        with pytest.raises(LocalProtocolError if over else NotInARoom, match=f"the room is {state.value}: publish"):
            bench.tracks.check_publish(TrackSource.CAMERA)


def test_a_token_may_forbid_to_receive_and_to_publish() -> None:
    bench = Bench(token=livekit(can_subscribe=False, can_publish_sources=["microphone"]).token)
    bench.publish(VOICE)
    with pytest.raises(PermissionMissing, match="canSubscribe"):
        bench.tracks.subscribe(VOICE, wanted=True)
    bench.tracks.check_publish(TrackSource.MICROPHONE)
    with pytest.raises(PermissionMissing, match="camera is not among the sources"):
        bench.tracks.check_publish(TrackSource.CAMERA)


def test_a_token_that_forbids_neither() -> None:
    bench = Bench(token=livekit().token)
    bench.publish(VOICE)
    assert bench.tracks.subscribe(VOICE, wanted=True)
