"""A walker beside a session that only writes down what it is told, on a clock of the test's own."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import dist, hypot, inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcl_comms_core import (
    CloseReason,
    Limits,
    LocalProtocolError,
    Movement,
    Peer,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PermissionMissing,
    Reconnected,
    Reconnecting,
    RoomState,
    Vector3,
)  # fmt: skip
from dcl_comms_core.packets.events import MovementKind
from dcl_comms_core.packets.motion import build_movement
from dcl_comms_core.walking.pace import Pace, metres_a_second
from dcl_comms_core.walking.walk import WalkEnd
from dcl_comms_core.walking.walker import Walker

ADA = PeerId("0xada")
STILL = (0.0, 0.0, 0.0)


@dataclass
class There:
    position: Vector3 | None


@dataclass
class Told:
    at: float
    position: Vector3
    velocity: Vector3
    yaw: float


class Bench:
    """A session that writes down, peers that are put somewhere, and time."""

    def __init__(self, *, position=STILL, **limits):
        self.state = RoomState.OPEN
        self.now = 100.0
        self.told = []
        self.peers = {}
        self.refusal = None
        self.walker = Walker(self, self.peers.get, position=position, limits=Limits(**limits))

    def move(self, position, *, velocity, yaw, now):
        assert now == self.now
        if self.refusal is not None:
            raise self.refusal
        self.told.append(Told(now, position, Vector3(*velocity), yaw))

    def run(self, seconds=inf, late=()):
        """Let so much time pass, or as much as there is something to wait for."""
        end = self.now + seconds
        late = itertools.chain(late, itertools.repeat(0.0))
        while (due := self.walker.deadline()) is not None and (due := max(due, self.now) + next(late)) <= end:
            self.now = due
            self.walker.handle_timeout(due)
        if seconds < inf:
            self.now = end

    def tell(self, *events):
        self.walker.take(list(events), now=self.now)

    def put(self, x, z):
        self.peers[ADA] = There(Vector3(x, 0.0, z))
        self.tell(
            PeerMoved(
                at=self.now, room="", sender=ADA, position=Vector3(x, 0.0, z), velocity=Vector3(*STILL), yaw=0.0,
                kind=MovementKind.MOVEMENT, message=Movement(), private=False,
            )
        )  # fmt: skip

    def go(self, *args, **options):
        return self.walker.go(*args, now=self.now, **options)

    def follow(self, *args, **options):
        return self.walker.follow(*args, now=self.now, **options)

    @property
    def last(self):
        return self.told[-1]

    def stands(self):
        return self.last.velocity == STILL and self.walker.deadline() is None


def left(bench):
    return PeerLeft(at=bench.now, room="", sender=ADA)


# --- to a place


def test_a_walk_ends_exactly_there_and_stands_still():
    bench = Bench()
    walk = bench.go((3.0, 0.0, 4.0))
    assert (walk.done, walk.arrived, walk.end) == (False, False, None)
    assert "under way" in repr(walk)
    assert bench.last == Told(100.0, STILL, pytest.approx((4.8, 0.0, 6.4)), pytest.approx(36.8698976))
    bench.run()
    assert walk.end is WalkEnd.ARRIVED
    assert walk.arrived
    assert "ARRIVED" in repr(walk)
    assert bench.last.position == (3.0, 0.0, 4.0)
    assert bench.last.yaw == pytest.approx(36.8698976)
    assert bench.stands()
    # 5 m at 8 m/s, in steps of a tenth of a second.
    assert [told.at for told in bench.told] == pytest.approx([100.0 + 0.1 * step for step in range(8)], abs=0.001)
    assert [told.velocity == STILL for told in bench.told] == [False] * 7 + [True]
    assert bench.walker.walk is None
    assert bench.walker.position == (3.0, 0.0, 4.0)


@pytest.mark.parametrize(
    ("pace", "speed"), [(Pace.WALK, 1.5), ("walk", 1.5), ("Run", 10.0), (Pace.JOG, 8.0), (2, 2.0), (50.0, 50.0)]
)
def test_paces(pace, speed):
    assert metres_a_second(pace) == speed
    bench = Bench()
    bench.go((0.0, 0.0, 100.0), pace=pace)
    assert bench.last.velocity == (0.0, 0.0, speed)


@pytest.mark.parametrize("pace", ["crawl", 0, -1.0, 51.0, nan, True, None])
def test_what_is_no_pace(pace):
    with pytest.raises(LocalProtocolError, match="pace"):
        Bench().go((1.0, 0.0, 0.0), pace=pace)


def test_a_jog_is_told_as_a_jog_whichever_way_it_goes():
    bench = Bench()
    for x, z in itertools.product(range(-7, 8), repeat=2):
        if x or z:
            bench.go((x * 13.7, 0.0, z * 7.1))
            movement = build_movement(STILL, bench.last.velocity, 0.0, 0.0, grounded=True, instant=False)
            assert movement.movement_blend_value == 2.0


def test_every_point_of_a_path_is_told_and_where_the_next_leads():
    bench = Bench(position=(1.0, 0.0, 1.0))
    path = [(1.0, 0.0, 1.0), (1.0, 0.0, 3.0), (1.0, 0.0, 3.0), (4.0, 0.0, 3.0), (4.0, 0.0, 2.9)]
    walk = bench.go(path, pace=4.0)
    bench.run()
    assert walk.arrived
    assert {told.position for told in bench.told} >= set(path)
    corner = next(told for told in bench.told if told.position == (1.0, 0.0, 3.0))
    assert (corner.velocity, corner.yaw) == ((4.0, 0.0, 0.0), 90.0)
    assert (bench.last.position, bench.last.yaw) == ((4.0, 0.0, 2.9), 180.0)


def test_a_walk_stops_before_the_end_only_where_the_path_ends():
    bench = Bench()
    bench.go([(0.0, 0.0, 10.0), (10.0, 0.0, 10.0)], stop=2.5)
    bench.run()
    assert Vector3(0.0, 0.0, 10.0) in [told.position for told in bench.told]
    assert bench.last.position == (pytest.approx(7.5), 0.0, 10.0)
    assert bench.stands()


def test_who_is_near_enough_only_turns_there():
    bench = Bench()
    walk = bench.go((0.0, 0.0, -2.0), stop=3.0)
    assert walk.arrived
    assert bench.told == [Told(100.0, STILL, STILL, 180.0)]


def test_up_and_down_keeps_the_heading():
    bench = Bench()
    bench.walker.moved((0.0, 0.0, 0.0), yaw=-90.0)
    bench.go((0.0, 2.0, 0.0))
    assert (bench.last.velocity, bench.last.yaw) == ((0.0, 8.0, 0.0), 270.0)
    bench.run()
    assert bench.last.position == (0.0, 2.0, 0.0)


@pytest.mark.parametrize(
    "target",
    [
        (), [], (1.0, 2.0), (1.0, 2.0, nan), [(1.0, 2.0, 3.0), (1.0, 2.0)], 5, None, [None], {"x": 1}, b"abc", [ADA],
        object(),
    ],
)  # fmt: skip
def test_what_nobody_can_walk_to(target):
    with pytest.raises(LocalProtocolError):
        Bench().go(target)


@pytest.mark.parametrize("stop", [-1.0, nan, "2", None])
def test_what_is_no_distance(stop):
    with pytest.raises(LocalProtocolError, match="metres"):
        Bench().go((1.0, 0.0, 0.0), stop=stop)
    with pytest.raises(LocalProtocolError, match="metres"):
        Bench().follow(ADA, metres=stop)


def test_a_path_has_an_end():
    bench = Bench(walk_points=3)
    bench.go([(0.0, 0.0, 1.0)] * 3)
    with pytest.raises(LocalProtocolError, match="walk_points"):
        bench.go([(0.0, 0.0, 1.0)] * 4)


# --- the newest counts


def test_a_new_walk_goes_on_from_where_the_last_has_come_to():
    bench = Bench()
    first = bench.go((0.0, 0.0, 100.0))
    bench.run(0.25)
    bench.now = 100.25
    second = bench.go((0.0, 0.0, -100.0))
    assert first.end is WalkEnd.REPLACED
    assert bench.last.position == (0.0, 0.0, pytest.approx(2.0))
    assert bench.last.yaw == 180.0
    assert bench.walker.walk is second


def test_asking_again_and_again_gets_there_as_soon():
    bench = Bench()
    for _ in range(40):
        walk = bench.go((0.0, 0.0, 8.0))
        bench.run(0.03)
    assert walk.arrived
    assert bench.last.position == (0.0, 0.0, 8.0)


def test_stopping_stands_still_where_we_have_come_to():
    bench = Bench()
    walk = bench.go((0.0, 0.0, 100.0))
    bench.run(0.15)
    bench.walker.stop(walk, now=bench.now)
    assert walk.end is WalkEnd.STOPPED
    assert bench.last == Told(bench.now, Vector3(0.0, 0.0, pytest.approx(1.2)), Vector3(*STILL), 0.0)
    count = len(bench.told)
    bench.walker.stop(walk, now=bench.now)
    bench.walker.handle_timeout(bench.now + 5.0)
    assert len(bench.told) == count


def test_standing_is_told_whether_or_not_we_walked():
    bench = Bench(position=(1.0, 2.0, 3.0))
    bench.walker.stand(now=bench.now)
    assert bench.told == [Told(100.0, Vector3(1.0, 2.0, 3.0), Vector3(*STILL), 0.0)]
    walk = bench.go((0.0, 0.0, 100.0))
    bench.walker.stand(now=bench.now)
    assert walk.end is WalkEnd.STOPPED
    assert bench.stands()


def test_a_movement_by_hand_ends_a_walk_without_a_word():
    bench = Bench()
    walk = bench.go((0.0, 0.0, 100.0))
    count = len(bench.told)
    bench.walker.moved((5.0, 0.0, 5.0), velocity=(1.0, 0.0, 0.0), yaw=90.0)
    assert walk.end is WalkEnd.REPLACED
    assert (bench.walker.position, bench.walker.yaw) == ((5.0, 0.0, 5.0), 90.0)
    assert len(bench.told) == count
    bench.go(PeerId("nobody"))
    # Whoever runs by hand stands before nobody.
    assert bench.stands()


@pytest.mark.parametrize("target", [450.0, 90, (5.0, 1.0, 0.0), ADA, Peer(id=ADA, joined_at=0.0), "0xADA"])
def test_facing(target):
    bench = Bench()
    bench.put(5.0, 0.0)
    walk = bench.go((0.0, 0.0, 100.0))
    assert bench.walker.face(target, now=bench.now)
    assert walk.end is WalkEnd.REPLACED
    assert bench.last == Told(100.0, STILL, STILL, 90.0)


def test_facing_who_is_nowhere_or_just_here():
    bench = Bench()
    assert not bench.walker.face(ADA, now=bench.now)
    bench.peers[ADA] = There(None)
    assert not bench.walker.face(ADA, now=bench.now)
    assert bench.told == []
    bench.walker.moved(STILL, yaw=45.0)
    assert bench.walker.face((0.0, 5.0, 0.0), now=bench.now)
    assert bench.last.yaw == 45.0
    for wrong in (nan, True, None, (1.0, 2.0)):
        with pytest.raises(LocalProtocolError):
            bench.walker.face(wrong, now=bench.now)


# --- to somebody


def test_to_a_peer_wherever_it_goes():
    bench = Bench()
    bench.put(0.0, 20.0)
    walk = bench.go(ADA, stop=2.0)
    bench.run(1.0)
    bench.put(20.0, 20.0)
    bench.run()
    assert walk.arrived
    assert dist(bench.last.position, (20.0, 0.0, 20.0)) == pytest.approx(2.0)
    assert bench.stands()
    again = bench.go(Peer(id=ADA, joined_at=0.0), stop=2.0)
    assert again.arrived


def test_who_is_not_there_or_never_said_where():
    bench = Bench()
    assert bench.go(ADA).end is WalkEnd.GONE
    bench.peers[ADA] = There(None)
    assert bench.go("0xAda").end is WalkEnd.UNSEEN
    assert bench.told == []


def test_a_peer_that_leaves_ends_the_walk():
    bench = Bench()
    bench.put(0.0, 20.0)
    walk = bench.go(ADA)
    bench.run(0.5)
    del bench.peers[ADA]
    bench.tell(left(bench))
    bench.run()
    assert walk.end is WalkEnd.GONE
    assert bench.last.position.z == pytest.approx(4.0, abs=0.81)
    assert bench.stands()


# --- after somebody


def test_following():
    bench = Bench()
    bench.put(0.0, 2.0)
    walk = bench.follow(ADA)
    # Near enough: we only look there.  A step more of it is nothing to run after.
    assert bench.told == []
    bench.put(0.0, 3.4)
    bench.run()
    bench.put(1.0, 3.2)
    bench.run()
    assert [told.velocity for told in bench.told] == [STILL]
    assert bench.last.yaw == pytest.approx(17.35, abs=0.01)
    bench.put(0.0, 13.0)
    bench.run()
    assert bench.last.position == (0.0, 0.0, pytest.approx(10.0))
    assert bench.stands()
    assert not walk.done
    bench.put(0.0, 30.0)
    bench.run(0.5)
    del bench.peers[ADA]
    bench.tell(left(bench))
    bench.run()
    assert walk.end is WalkEnd.GONE
    assert bench.stands()


def test_who_is_followed_may_be_seen_later_and_leaves_while_we_stand():
    bench = Bench()
    bench.peers[ADA] = There(None)
    walk = bench.follow(ADA, metres=1.0, pace=Pace.JOG)
    assert bench.walker.deadline() is None
    assert bench.told == []
    bench.put(0.0, 5.0)
    bench.run()
    assert bench.last.position == (0.0, 0.0, pytest.approx(4.0))
    bench.tell(PeerLeft(at=bench.now, room="", sender=PeerId("0xbob")))
    assert bench.walker.deadline() is None
    del bench.peers[ADA]
    bench.tell(left(bench))
    bench.run()
    assert walk.end is WalkEnd.GONE
    for wrong in (None, 5, b"0xada"):
        with pytest.raises(LocalProtocolError):
            bench.follow(wrong)


# --- weather


def test_a_walk_to_a_place_goes_on_while_the_room_is_away():
    bench = Bench()
    walk = bench.go((0.0, 0.0, 8.0))
    bench.state = RoomState.WAITING
    bench.tell(Reconnecting(at=bench.now, room="", attempt=1, reason=CloseReason.UNREACHABLE))
    bench.run()
    assert walk.arrived
    assert bench.last.position == (0.0, 0.0, 8.0)


@pytest.mark.parametrize("returns", [True, False])
@pytest.mark.parametrize("follows", [True, False])
def test_who_is_away_with_the_room_may_be_back_with_it(returns, follows):
    bench = Bench()
    bench.put(0.0, 8.0)
    walk = bench.follow(ADA, metres=1.0) if follows else bench.go(ADA, stop=1.0)
    bench.run(0.3)
    bench.state = RoomState.RECONNECTING
    del bench.peers[ADA]
    bench.tell(Reconnecting(at=bench.now, room="", attempt=1, reason=CloseReason.UNREACHABLE), left(bench))
    bench.run(60.0)
    # Where it was last.
    assert bench.last.position == (0.0, 0.0, pytest.approx(7.0))
    assert bench.last.velocity == STILL
    assert not walk.done
    bench.state = RoomState.OPEN
    bench.tell(Reconnected(at=bench.now, room="", attempt=1))
    bench.run(4.5)
    assert not walk.done
    if returns:
        bench.tell(PeerJoined(at=bench.now, room="", sender=ADA))
        bench.put(0.0, 12.0)
        bench.run(5.0)
        assert bench.last.position == (0.0, 0.0, pytest.approx(11.0))
        assert walk.end is (None if follows else WalkEnd.ARRIVED)
    else:
        bench.run()
        assert walk.end is WalkEnd.GONE
    assert bench.stands()


def test_who_was_never_seen_is_looked_for_while_the_room_is_away():
    bench = Bench()
    bench.state = RoomState.WAITING
    walk = bench.follow(ADA)
    bench.run(30.0)
    assert bench.told == []
    assert bench.go(ADA).end is WalkEnd.UNSEEN
    assert walk.end is WalkEnd.REPLACED


def test_a_session_that_is_over_ends_the_walk():
    bench = Bench()
    walk = bench.go((0.0, 0.0, 100.0))
    bench.state = RoomState.CLOSED
    bench.run()
    assert walk.end is WalkEnd.LOST
    assert len(bench.told) == 1
    bench = Bench()
    walk = bench.go((0.0, 0.0, 100.0))
    bench.state = RoomState.CLOSING
    bench.tell()
    assert walk.end is WalkEnd.LOST
    bench.tell(left(bench))
    assert bench.walker.deadline() is None


def test_who_may_not_move_is_told_so():
    bench = Bench()
    bench.refusal = PermissionMissing("canPublishData")
    with pytest.raises(PermissionMissing):
        bench.go((0.0, 0.0, 100.0))
    assert bench.walker.walk is None
    bench.refusal = None
    walk = bench.go((0.0, 0.0, 100.0))
    bench.run(0.2)
    bench.refusal = PermissionMissing("canPublishData")
    with pytest.raises(PermissionMissing):
        bench.go((0.0, 0.0, -100.0))
    assert bench.walker.walk is walk
    bench.run()
    assert walk.end is WalkEnd.REFUSED
    assert walk.error is bench.refusal
    assert bench.walker.deadline() is None


# --- properties

places = st.tuples(*[st.floats(-30.0, 30.0)] * 3)


@settings(max_examples=150, deadline=None)
@given(
    start=places,
    path=st.lists(places, min_size=1, max_size=4),
    pace=st.floats(2.0, 50.0),
    stop=st.one_of(st.just(0.0), st.floats(0.0, 20.0)),
    late=st.lists(st.floats(0.0, 2.0), max_size=20),
)
def test_whatever_the_way_it_is_never_faster_visits_all_and_ends_still(start, path, pace, stop, late):
    bench = Bench(position=start)
    walk = bench.go(path, stop=stop, pace=pace)
    bench.run(late=late)
    told = bench.told
    assert walk.arrived
    assert told[-1].velocity == STILL
    assert all(one.velocity != STILL for one in told[:-1])
    for one, other in itertools.pairwise(told):
        assert other.at - one.at >= 0.1 - 1e-9
        assert dist(one.position, other.position) <= pace * (other.at - one.at) + 1e-6
        assert hypot(*one.velocity) == pytest.approx(pace)
    positions = [one.position for one in told]
    assert all(min(dist(point, place) for place in positions) <= 1e-6 for point in path[:-1])
    if stop == 0.0:
        assert dist(told[-1].position, path[-1]) <= 1e-6
    else:
        assert dist(told[-1].position, path[-1]) <= stop + 1e-5
    assert told[-1].at - told[0].at >= (sum(map(dist, path[:-1], path[1:])) - stop) / pace - 1e-6


@settings(max_examples=100, deadline=None)
@given(
    orders=st.lists(
        st.one_of(
            st.tuples(st.just("go"), places),
            st.tuples(st.just("to"), st.floats(0.0, 5.0)),
            st.tuples(st.just("follow"), st.floats(0.0, 5.0)),
            st.tuples(st.just("put"), st.tuples(st.floats(-50.0, 50.0), st.floats(-50.0, 50.0))),
            st.tuples(st.just("leave"), st.none()),
            st.tuples(st.just("stop"), st.none()),
            st.tuples(st.just("stand"), st.none()),
            st.tuples(st.just("face"), st.floats(-400.0, 400.0)),
            st.tuples(st.just("away"), st.sampled_from([RoomState.OPEN, RoomState.WAITING])),
        ),
        max_size=12,
    ),
    pause=st.floats(0.0, 3.0),
)
def test_whatever_is_asked_one_walk_goes_on_and_none_runs_on_the_spot(orders, pause):
    bench = Bench()
    walks = []
    for kind, value in orders:
        match kind:
            case "go":
                walks.append(bench.go(value))
            case "to":
                walks.append(bench.go(ADA, stop=value))
            case "follow":
                walks.append(bench.follow(ADA, metres=value))
            case "put":
                bench.put(*value)
            case "leave":
                bench.peers.pop(ADA, None)
                bench.tell(left(bench))
            case "stop":
                for walk in walks:
                    bench.walker.stop(walk, now=bench.now)
            case "stand":
                bench.walker.stand(now=bench.now)
            case "face":
                bench.walker.face(value, now=bench.now)
            case _:
                bench.state = value
        assert sum(not walk.done for walk in walks) == (bench.walker.walk is not None)
        bench.run(pause)
    bench.run(60.0)
    assert all(told.at <= later.at for told, later in itertools.pairwise(bench.told))
    for told, later in itertools.pairwise(bench.told):
        assert dist(told.position, later.position) <= 10.0 * (later.at - told.at) + 1e-6
    if bench.told:
        # Nobody is told to run who does not get on.
        assert bench.last.velocity == STILL
