"""A place that two rooms want: the island goes first, and nobody waits for one for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs.core.world import GATE, REALM, STEADY, Citizen, Universe, about, news, settled

from dcl_comms_core import (
    CloseReason,
    Faults,
    Limits,
    RealmClosed,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    StayState,
    Timer,
    WarningCode,
    WayState,
    WorldClosed,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.testing import MemoryIslands, MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterable


def ends(events: Iterable[Any]) -> list[tuple[str, CloseReason]]:
    return [(event.room, event.reason) for event in events if isinstance(event, RoomClosed)]


def told(citizen: Citizen) -> list[WarningCode]:
    return [event.code for event in citizen.take(WarningEvent)]


def with_scene(**options: Any) -> tuple[Universe, Citizen]:
    """Somebody on an island who wants to be in a scene."""
    here = Universe(faults=Faults(give_up=6.0))
    here.http["POST", GATE] = here.login("scene-a", key="adapter")
    alice = settled(here, gatekeeper=GATE, **options)
    alice.call("enter_scene", "a", (0, 0))
    return here, alice


def stay(citizen: Citizen, role: str = "scene") -> StayState:
    return citizen.session.standing[role].stay  # type: ignore[no-any-return]  # a journal's stand-in is untyped


# --- one place


@pytest.mark.parametrize("room", ["scene-a", "I1"])
@pytest.mark.parametrize("together", [False, True])
def test_an_island_that_comes_back_gets_the_place_that_a_scene_took_meanwhile(room: str, together: bool) -> None:
    here = Universe(ws_rooms=True)
    here.http["POST", GATE] = here.login(room, key="adapter")
    alice = settled(here, gatekeeper=GATE)
    here.down.add("ws-room")
    here.cut(alice)
    here.run(0.5)
    here.down.clear()
    if not together:
        # The island's service comes back later than that of the rooms.
        here.down.add("archipelago")
    alice.call("enter_scene", "a", (0, 0))
    here.run(3.0)
    here.down.clear()
    here.run(60.0)
    assert alice.session.state is RoomState.OPEN
    assert [room.room for room in alice.session.rooms.values()] == ["island"]
    assert stay(alice) is StayState.AWAY
    (end,) = [event for event in alice.take(RoomClosed) if event.reason is CloseReason.ROOM_TAKEN]
    assert (end.room, end.retry) == ("scene", Retry.BACKOFF)
    alice.replays()


def test_an_island_whose_room_becomes_the_scenes_own_takes_it() -> None:
    here, alice = with_scene()
    here.run(5.0)
    assert [room.room for room in alice.session.rooms.values()] == ["island", "scene"]
    alice.take()
    news(alice, "I7", here.mint("scene-a", alice.name))
    assert told(alice) == [WarningCode.ROOM_TAKEN]
    here.run(20.0)
    assert [room.room for room in alice.session.rooms.values()] == ["island"]
    assert alice.inside() == ["scene-a"]
    assert alice.session.state is RoomState.OPEN
    assert (stay(alice, "island"), stay(alice)) == (StayState.IN, StayState.AWAY)


def test_a_scene_that_gave_way_comes_back_once_the_place_is_free_again() -> None:
    here, alice = with_scene()
    here.run(5.0)
    news(alice, "I7", here.mint("scene-a", alice.name))
    here.run(0.5)
    news(alice, "I8", here.mint("I8", alice.name))
    here.run(10.0)
    assert alice.inside() == ["I8", "scene-a"]
    assert (stay(alice, "island"), stay(alice)) == (StayState.IN, StayState.IN)
    assert ends(alice.take())[-1] != ("scene", CloseReason.ROOM_TAKEN)


def test_without_a_policy_a_scene_that_gave_way_is_closed_at_once() -> None:
    here, alice = with_scene(reconnect=None)
    here.run(5.0)
    alice.take()
    news(alice, "I7", here.mint("scene-a", alice.name))
    here.run(1.0)
    events = alice.take()
    assert ("scene", CloseReason.ROOM_TAKEN) in ends(events)
    assert [event for event in events if isinstance(event, Reconnecting)] == []
    assert alice.inside() == ["scene-a"]
    assert [room.room for room in alice.session.rooms.values()] == ["island"]


def test_a_scene_on_its_way_gives_way_without_a_warning() -> None:
    here, alice = with_scene()
    here.run(0.025)
    assert stay(alice) is StayState.ENTERING
    alice.take()
    news(alice, "I7", here.mint("scene-a", alice.name))
    assert told(alice) == []
    here.run(20.0)
    assert [room.room for room in alice.session.rooms.values()] == ["island"]


# --- Limits.rooms


def test_of_limits_rooms_the_island_gets_its_own_and_the_scene_comes_back() -> None:
    here, alice = with_scene(limits=Limits(rooms=2))
    here.run(5.0)
    alice.take()
    news(alice, "I7", here.mint("I7", alice.name))
    here.run(0.5)
    events = alice.take()
    assert [(event.room, event.reason) for event in events if isinstance(event, Reconnecting)] == [
        ("scene", CloseReason.ROOM_TAKEN)
    ]
    here.run(10.0)
    assert alice.inside() == ["I7", "scene-a"]
    assert stay(alice) is StayState.IN


def full(*, seek_seconds: float = 20.0) -> tuple[Universe, Citizen]:
    """Somebody on an island, with as many movement sources as there may be."""
    here = Universe()
    here.http["POST", GATE] = here.login("scene-a", key="adapter")
    alice = settled(here, gatekeeper=GATE, limits=Limits(rooms=2, seek_seconds=seek_seconds), islands=None)
    alice.session.attach(MemorySource, now=here.clock.now)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    assert stay(alice) is StayState.ENTERING
    return here, alice


def test_a_scene_that_finds_limits_rooms_full_is_given_up_in_time() -> None:
    here, alice = full()
    (due,) = [timers[Timer.ENTER] for timers in [alice.session.standing["scene"].timers]]
    assert due == pytest.approx(here.clock.now + 19.0)
    here.run(20.0)
    (event,) = alice.take(Reconnecting)
    assert (event.room, event.reason, event.attempt) == ("scene", CloseReason.TIMEOUT, 1)
    here.run(100.0)
    (end,) = alice.take(RoomClosed)
    assert (end.room, end.reason, end.retry) == ("scene", CloseReason.TIMEOUT, Retry.BACKOFF)
    assert end.detail == "in no room within 20 s"
    assert stay(alice) is StayState.AWAY
    assert alice.session.state is RoomState.OPEN


def test_who_leaves_a_scene_that_waits_for_its_place_waits_no_longer() -> None:
    here, alice = full()
    alice.call("leave_scene")
    assert stay(alice) is StayState.AWAY
    assert dict(alice.session.standing["scene"].timers) == {}
    here.run(60.0)
    assert alice.take(RoomClosed, Reconnecting) == []


# --- searches


class Mute(MemoryIslands):
    """An island service that answers once, and takes no leave."""

    answered = False

    def renew(self, *, now: float | None = None) -> None:
        """Once."""
        if not self.answered:
            self.answered = True
            super().renew(now=now)

    def close(self, *, now: float | None = None) -> None:
        """It does not listen."""


def test_an_island_service_that_tells_no_island_any_more_is_asked_a_few_times() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(f"archipelago:archipelago:{REALM.replace('https', 'wss')}/ws")
    alice = here.citizen(islands=lambda _adapter, _link: Mute(), reconnect=STEADY, limits=Limits(seek_seconds=30.0))
    here.run(1.0)
    assert alice.session.state is RoomState.OPEN
    alice.take()
    here.rooms["I0,0"].delete(now=here.clock.now)
    here.run(2.0)
    assert (alice.session.state, stay(alice, "island")) == (RoomState.WAITING, StayState.SEEKING)
    assert alice.session.deadline_reason is Timer.ENTER
    here.run(150.0)
    events = alice.take(Reconnecting, WorldClosed)
    assert [event.reason for event in events] == [CloseReason.ROOM_DELETED] + [CloseReason.TIMEOUT] * 3
    assert [type(event) for event in events] == [Reconnecting] * 3 + [WorldClosed]


def test_a_search_that_takes_too_long_is_given_up_whatever_it_waits_for() -> None:
    here = Universe()
    here.http["POST", GATE] = lambda _request: None
    alice = settled(here, gatekeeper=GATE, limits=Limits(seek_seconds=5.0))
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    assert alice.session.standing["scene"].way is WayState.ASKING
    here.run(4.5)
    assert alice.session.standing["scene"].way is WayState.IDLE
    assert [event.reason for event in alice.take(Reconnecting)] == [CloseReason.TIMEOUT]
    assert alice.fetching == set()
    here.http["POST", GATE] = here.login("scene-a", key="adapter")
    here.run(5.0)
    assert alice.inside() == ["I1", "scene-a"]
    alice.replays()


# --- the end


def test_an_island_service_that_takes_no_leave_is_left_all_the_same() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(f"archipelago:archipelago:{REALM.replace('https', 'wss')}/ws")
    alice = here.citizen(islands=lambda _adapter, _link: Mute())
    here.run(1.0)
    alice.call("close")
    here.run(1.0)
    assert (alice.session.state, alice.session.deadline_reason) == (RoomState.CLOSING, Timer.CLOSE)
    alice.call("close")
    here.run(3.9)
    assert alice.session.state is RoomState.CLOSING
    here.run(0.2)
    (realm, world) = alice.take(RealmClosed, WorldClosed)
    assert (realm.room, realm.reason, realm.detail) == (
        "realm",
        CloseReason.CLIENT,
        "the source did not confirm its end",
    )
    assert world.reason is CloseReason.CLIENT
    assert alice.session.state is RoomState.CLOSED
    assert alice.session.deadline() is None


class Lasting(MemorySource):
    """A movement source that takes no leave."""

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """It does not listen."""


def test_a_movement_source_that_takes_no_leave_is_left_all_the_same() -> None:
    here = Universe()
    alice = here.citizen("simulator:plaza", wallet=False, islands=None)
    here.run(1.0)
    alice.session.attach(Lasting, now=here.clock.now)
    alice.session.commands()
    alice.call("close", drain=2.0)
    alice.call("close", drain=60.0)
    assert alice.session.timers[Timer.CLOSE] == pytest.approx(8.0)
    here.run(6.9)
    assert (alice.session.state, alice.session.deadline_reason) == (RoomState.CLOSING, Timer.CLOSE)
    here.run(0.2)
    closed = alice.take(RoomClosed, WorldClosed)
    assert [(event.room, event.reason) for event in closed] == [
        ("island", CloseReason.CLIENT),
        ("movement", CloseReason.CLIENT),
        ("", CloseReason.CLIENT),
    ]
    assert alice.session.state is RoomState.CLOSED


def test_rooms_open_and_waiting_show_what_they_wait_for() -> None:
    here, alice = with_scene()
    assert alice.session.standing["scene"].way is WayState.ASKING
    assert set(alice.session.standing["scene"].timers) == {Timer.REQUEST, Timer.ENTER}
    here.run(5.0)
    assert {role: standing.stay for role, standing in alice.session.standing.items()} == {
        "island": StayState.IN,
        "scene": StayState.IN,
    }
    assert Timer.HEARTBEAT in alice.session.timers
    assert [event.room for event in alice.take(RoomOpened)] == ["scene"]
