"""What a merged view sends by itself: one movement for all rooms, at the explorers' pace, and a profile's version."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.merged import Town
from rigs.core.room import STEADY, livekit, people

from dcl_comms_core import (
    CloseReason,
    EncodeError,
    Limits,
    LinkClosed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    Movement,
    OpenLink,
    PacketTooLarge,
    ParticipantJoined,
    PeerId,
    PeerMoved,
    PermissionMissing,
    ProfileAnnounced,
    RoomRole,
    RoomSession,
    SendAcknowledged,
    SendData,
    SimulatorAdapter,
    Timer,
    WarningCode,
    decode,
)
from dcl_comms_core import events as ev
from dcl_comms_core.testing import MemorySource

ISLAND, SCENE, OTHER = RoomRole.ISLAND, RoomRole.SCENE, RoomRole.OTHER
Sent = tuple[float, str, Movement]


class Bench:
    """A merged view whose transports take everything at once."""

    def __init__(self, **options: Any) -> None:
        self.merged = MergedRooms(announce=False, **options)
        self.now = 0.0
        self.links: dict[str, LinkRef] = {}
        self.labels: dict[int, str] = {}
        self.versions: list[tuple[str, int]] = []
        self.sent: list[Sent] = []
        self.raw: list[bytes] = []

    def begin(self, label: str, role: RoomRole = ISLAND, adapter: Any = None) -> Bench:
        if role is RoomRole.SOURCE:
            self.merged.attach(MemorySource(self.merged.new_link(), room=label), now=self.now)
        else:
            self.merged.join(adapter or SimulatorAdapter(label), role, room=label, now=self.now)
        return self.turn()

    def join(self, label: str, role: RoomRole = ISLAND, adapter: Any = None, *present: str) -> Bench:
        return self.begin(label, role, adapter).opened(label, *present)

    def opened(self, label: str, *present: str) -> Bench:
        return self.tell(label, LinkOpened, identity="me", room=label, participants=people(*present))

    def tell(self, label: str, kind: Any, **fields: Any) -> Bench:
        self.merged.receive(kind(link=self.links[label], **fields), now=self.now)
        return self.turn()

    def turn(self) -> Bench:
        for command in self.merged.commands():
            link = command.link
            if isinstance(command, OpenLink):
                label = getattr(command.adapter, "detail", "") or "livekit"
                self.links[label] = link
                self.labels[link.link] = label
            if isinstance(command, SendData):
                packet = decode(command.data)
                label = self.labels[link.link]
                if packet.movement is not None:
                    assert not command.reliable
                    self.sent.append((self.now, label, packet.movement))
                if packet.profile_version is not None:
                    self.versions.append((label, packet.profile_version.profile_version))
                self.raw.append(command.data)
                self.merged.receive(SendAcknowledged(link=link, token=command.token), now=self.now)
        return self

    def move(self, x: float, **more: Any) -> list[Sent]:
        self.merged.move((x, 0.0, 0.0), now=self.now, **more)
        self.turn()
        return self.take()

    def run(self, seconds: float) -> list[Sent]:
        end = self.now + seconds
        while (due := self.merged.deadline()) is not None and due <= end:
            self.now = due
            self.merged.handle_timeout(due)
            self.turn()
        self.now = end
        return self.take()

    def take(self) -> list[Sent]:
        sent, self.sent = self.sent, []
        return sent

    def heard(self, *kinds: type) -> list[Any]:
        return [event for event in self.merged.events() if isinstance(event, kinds)]


def both(**options: Any) -> Bench:
    return Bench(**options).join("island").join("scene", SCENE)


# --- movement


def test_island_scene_and_sources_get_the_same_snapshots_when_the_cadence_says() -> None:
    bench = both().join("other", OTHER).join("pulse", RoomRole.SOURCE)
    sent = bench.move(1.0) + bench.run(2.0)
    for label in ("island", "scene", "pulse"):
        assert [when for when, where, _ in sent if where == label] == pytest.approx([0.0, 0.1, 0.3, 0.7, 1.5])
    assert {where for _, where, _ in sent} == {"island", "scene", "pulse"}
    for _, _, movement in sent[:3]:
        assert movement.is_instant
    by_time = [bench.raw[index : index + 3] for index in range(0, len(bench.raw), 3)]
    assert all(len(set(packets)) == 1 for packets in by_time)
    assert len(by_time) == 5


def test_of_many_movements_the_newest_goes_out_ten_times_a_second() -> None:
    bench = both()
    sent: list[Sent] = []
    for frame in range(300):
        sent += bench.move(frame * 0.1) + bench.run(1.0 / 60.0)
    island = [(when, movement) for when, where, movement in sent if where == "island"]
    assert 45 <= len(island) <= 51
    assert all(later[0] - sooner[0] >= 0.1 - 1e-9 for sooner, later in pairwise(island))
    assert [m.position_x for _, m in island] == [m.position_x for _, where, m in sent if where == "scene"]


def test_a_room_that_opens_is_told_where_we_are_at_once_as_of_an_instant_move() -> None:
    bench = Bench().join("island")
    bench.move(1.0)
    bench.run(5.2)
    bench.join("scene", SCENE)
    sent = bench.take() + bench.run(0.15)
    assert [(when, where, movement.is_instant) for when, where, movement in sent] == [
        (5.2, "island", False),
        (5.2, "scene", True),
        (pytest.approx(5.3), "island", False),
        (pytest.approx(5.3), "scene", False),
    ]
    assert [movement.timestamp for _, _, movement in sent[:2]] == pytest.approx([5.2, 5.2])


def test_whoever_comes_into_one_room_hears_of_a_peer_through_both_as_of_one() -> None:
    town = Town()
    walker = town.client("walker", "I1", "scene:S1")
    town.run()
    walker.merged.move((3.0, 0.0, 3.0), now=town.clock.now)
    town.run(10.0)
    late = town.client("late", "I1", "scene:S1")
    town.run()
    moves = late.take(PeerMoved)
    assert {event.position for event in moves} == {(3.0, 0.0, 3.0)}
    stamps = [event.message.timestamp for event in moves]
    assert stamps == sorted(set(stamps))
    assert late.merged.counters["moved_twice"] > 0


def test_a_room_whose_link_is_down_gets_nothing_meanwhile_and_the_newest_after() -> None:
    bench = both()
    bench.move(1.0)
    bench.tell("scene", LinkReconnecting)
    assert {where for _, where, _ in bench.move(2.0) + bench.run(3.05) + bench.move(3.0)} == {"island"}
    bench.tell("scene", LinkReconnected)
    assert [(where, movement.position_x, movement.is_instant) for _, where, movement in bench.take() + bench.run(0.11)][
        :2
    ] == [("island", 3.0, False), ("scene", 3.0, False)]


def test_a_room_that_is_joined_anew_is_told_as_a_new_one() -> None:
    bench = both(reconnect=STEADY)
    bench.move(1.0)
    bench.tell("scene", LinkClosed, reason=CloseReason.NETWORK)
    assert {where for _, where, _ in bench.run(3.05)} == {"island"}
    bench.opened("scene")
    assert [(where, movement.is_instant) for _, where, movement in bench.take()] == [("island", False), ("scene", True)]


def test_while_no_link_is_up_nothing_is_due() -> None:
    bench = Bench().join("island")
    bench.move(1.0)
    bench.tell("island", LinkReconnecting)
    assert bench.merged.timers == {Timer.REPAIR: 180.0}
    assert bench.move(2.0) == []
    bench.now = 4.0
    bench.tell("island", LinkReconnected)
    assert [(when, movement.position_x) for when, _, movement in bench.take()] == [(4.0, 2.0)]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 0.3),
            st.sampled_from(["walk", "jump", "stand", "lose", "back", "open", "leave"]),
            st.sampled_from(["island", "scene"]),
        ),
        max_size=60,
    )
)
def test_never_more_than_ten_in_a_second_in_any_room(steps: list[tuple[float, str, str]]) -> None:
    bench = both().join("pulse", RoomRole.SOURCE)
    sent: list[Sent] = []
    for number, (pause, what, label) in enumerate(steps):
        sent += bench.run(pause)
        if what == "lose":
            bench.tell(label, LinkReconnecting)
        elif what == "back":
            bench.tell(label, LinkReconnected)
        elif what == "open" and len(bench.merged.rooms) < 4:
            bench.join(f"{label}{number}", ISLAND)
        elif what == "leave":
            bench.merged.leave(max(bench.merged.rooms), drain=0.0, now=bench.now)
            bench.tell(bench.labels[max(bench.merged.rooms)], LinkClosed, reason=CloseReason.CLIENT)
            bench.join(f"again{number}", ISLAND)
        else:
            sent += bench.move(float(number) if what == "walk" else 0.0, grounded=what != "jump")
        sent += bench.take()
    sent += bench.run(2.0)
    for label in bench.labels.values():
        times = [when for when, where, _ in sent if where == label]
        assert all(later - sooner >= 1.0 - 1e-9 for sooner, later in zip(times, times[10:], strict=False))
    # Two rooms that got a movement at the same time got the same one.
    for when in {when for when, _, _ in sent}:
        assert len({(m.timestamp, m.position_x) for time, _, m in sent if time == when}) <= sum(
            1 for time, where, _ in sent if time == when and where == "pulse"
        )


def test_what_is_addressed_goes_out_at_once_and_once() -> None:
    bench = both()
    for _ in range(20):
        bench.move(1.0, to=PeerId("alice"))
    assert len(bench.raw) == 40
    assert bench.merged.deadline() is None


def test_what_can_t_be_sent_is_refused_at_once() -> None:
    bad: Any = "nonsense"
    bench = both()
    for movement, error in (
        ((math.nan, 0.0, 0.0), LocalProtocolError),
        (Movement(jump_count=bad), EncodeError),
        (Movement.FromString(b"\xa2\x06\x80\x08" + bytes(1024)), PacketTooLarge),
    ):
        with pytest.raises(error):
            bench.merged.move(movement, now=0.0)
    assert bench.run(1.0) == []
    MergedRooms().move((0.0, 0.0, 0.0))
    with pytest.raises(LocalProtocolError, match="island or scene or source"):
        MergedRooms().emote("wave")


def test_where_no_room_lets_us_send_a_move_is_refused_and_where_some_do_it_is_told_of_once() -> None:
    bench = Bench().join("livekit", ISLAND, livekit(can_publish_data=False))
    with pytest.raises(PermissionMissing):
        bench.merged.move((1.0, 0.0, 0.0), now=0.0)
    bench.join("scene", SCENE)
    bench.heard()
    sent = bench.move(2.0) + bench.run(2.0)
    assert {where for _, where, _ in sent} == {"scene"}
    (warning,) = bench.heard(ev.Warning)
    assert (warning.room, warning.code) == ("livekit", WarningCode.SEND_FAILED)
    assert bench.merged.counters["not_sent"] == len(sent)


def test_a_first_movement_that_the_queue_did_not_take_is_still_the_first() -> None:
    bench = Bench(limits=Limits(in_flight=1, send_queue=0)).join("island")
    bench.merged.chat("x", now=0.0)
    (chat,) = (command for command in bench.merged.commands() if isinstance(command, SendData))
    bench.merged.move((1.0, 0.0, 0.0), now=0.0)
    assert bench.turn().take() == []
    bench.tell("island", SendAcknowledged, token=chat.token)
    assert [movement.is_instant for _, _, movement in bench.run(0.35)] == [True, False]


# --- presence


def test_a_version_is_announced_in_every_room_that_opens_and_to_who_comes_and_again_and_again() -> None:
    bench = both(profile_version=7).join("pulse", RoomRole.SOURCE).join("other", OTHER)
    assert bench.versions == [("island", 7), ("scene", 7), ("pulse", 7)]
    bench.versions.clear()
    bench.now = 5.0
    bench.tell("scene", ParticipantJoined, participant=people("alice")[0])
    assert bench.versions == [("scene", 7)]
    bench.versions.clear()
    bench.run(10.0)
    assert sorted(bench.versions) == [("island", 7), ("scene", 7)]


def test_a_version_that_is_announced_is_announced_in_rooms_to_come() -> None:
    bench = both()
    assert bench.versions == []
    bench.merged.announce_profile(8, now=0.0)
    bench.merged.announce_profile(9, to=PeerId("alice"))
    bench.begin("scene 2", SCENE)
    bench.merged.announce_profile(10)
    bench.opened("scene 2").join("pulse", RoomRole.SOURCE)
    elsewhere = RoomSession(SimulatorAdapter("mine"), link=bench.merged.new_link(), announce=False)
    bench.merged.add(elsewhere, ISLAND, now=0.0)
    bench.turn().opened("mine")
    assert sorted(bench.versions) == [
        *[("island", 8), ("island", 9), ("island", 10), ("mine", 10), ("pulse", 10)],
        *[("scene", 8), ("scene", 9), ("scene", 10), ("scene 2", 8), ("scene 2", 10)],
    ]


def test_silence_is_kept_in_all_rooms() -> None:
    bench = both(profile_version=7, silent=True)
    assert [warning.code for warning in bench.heard(ev.Warning)] == [WarningCode.SILENT] * 2
    bench.merged.announce_profile(8, now=0.0)
    bench.join("scene 2", SCENE).run(30.0)
    assert bench.versions == [("island", 8), ("scene", 8)]


def test_no_such_version() -> None:
    with pytest.raises(LocalProtocolError, match="profile version"):
        MergedRooms(profile_version=-1)
    with pytest.raises(LocalProtocolError, match="profile version"):
        both().merged.announce_profile(1 << 32)
    with pytest.raises(LocalProtocolError, match="no room"):
        MergedRooms().announce_profile(1)


def test_a_version_that_a_room_does_not_take_is_told_of() -> None:
    bench = Bench().join("island")
    bench.merged.announce_profile(7, now=0.0)
    deaf = RoomSession(livekit(can_publish_data=False), room="mine", link=bench.merged.new_link(), announce=False)
    bench.merged.add(deaf, SCENE, now=0.0)
    bench.turn().opened("livekit")
    assert [(warning.room, warning.code) for warning in bench.heard(ev.Warning)] == [("mine", WarningCode.SEND_FAILED)]


def test_a_version_that_one_room_told_is_told_by_it_again() -> None:
    town = Town()
    alice = town.client("alice", "I1", "scene:S1", profile_version=3)
    bob = town.client("bob", "I1", "scene:S1")
    town.run(25.0)
    told = bob.take(ProfileAnnounced)
    assert len({event.room for event in told}) == 1
    assert len(told) >= 3
    assert bob.merged.counters["announced_twice"] == len(told)
    assert alice.take(ProfileAnnounced) == []
