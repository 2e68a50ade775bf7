"""When our own movement goes out: at the explorers' pace, on the session's own timers."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.room import STEADY, Rig, livekit

from dcl_comms_core import (
    EncodeError,
    Limits,
    LinkReconnected,
    LocalProtocolError,
    Movement,
    PacketTooLarge,
    PeerId,
    PeerMoved,
    PermissionMissing,
    Timer,
    decode,
)
from dcl_comms_core.testing import Pair

HERE = (1.0, 0.0, 1.0)


def movements(rig: Rig) -> list[Movement]:
    """What went out since the last look; acknowledged at once."""
    sent = rig.sent()
    rig.acknowledge(*(command.token for command in sent))
    found = [decode(command.data).movement for command in sent]
    assert all(movement is not None for movement in found)
    assert not any(command.reliable for command in sent)
    return [movement for movement in found if movement is not None]


def run(rig: Rig, seconds: float) -> list[tuple[float, Movement]]:
    """Let time pass from deadline to deadline; gives when what went out."""
    end, out = rig.now + seconds, []
    while (due := rig.session.deadline()) is not None and due <= end:
        rig.pass_time(due - rig.now)
        out += [(rig.now, movement) for movement in movements(rig)]
    rig.now = end
    return out


def walk(rig: Rig, x: float, **more: Any) -> None:
    rig.session.move((x, 0.0, 1.0), now=rig.now, **more)
    rig.drain()


def test_the_first_is_instant_and_who_stands_still_is_heard_of_less_and_less() -> None:
    rig = Rig().join()
    assert rig.session.deadline() is None
    walk(rig, 1.0)
    (first,) = movements(rig)
    assert first.is_instant
    assert rig.session.deadline_reason is Timer.MOVE
    out = run(rig, 5.0)
    assert [when for when, _ in out] == pytest.approx([0.1, 0.3, 0.7, 1.5, 2.5, 3.5, 4.5])
    for when, movement in out:
        assert not movement.is_instant
        assert movement.position_x == 1.0
        assert movement.timestamp == pytest.approx(when, abs=1e-5)


def test_of_many_the_newest_goes_out_ten_times_a_second() -> None:
    rig = Rig().join()
    out: list[tuple[float, Movement]] = []
    for frame in range(300):
        walk(rig, frame * 0.1)
        out += [(rig.now, movement) for movement in movements(rig)]
        out += run(rig, 1.0 / 60.0)
    assert 45 <= len(out) <= 51
    assert all(later[0] - sooner[0] >= 0.1 - 1e-9 for sooner, later in pairwise(out))
    assert all(when * 6.0 - movement.position_x <= 0.2 for when, movement in out)


def test_who_stood_still_and_walks_is_told_of_at_once() -> None:
    rig = Rig().join()
    walk(rig, 1.0)
    run(rig, 3.0)
    walk(rig, 2.0)
    assert [movement.position_x for movement in movements(rig)] == [2.0]
    assert [when for when, _ in run(rig, 0.35)] == pytest.approx([3.1, 3.3])


def test_the_same_again_changes_nothing() -> None:
    rig = Rig().join()
    walk(rig, 1.0)
    movements(rig)
    for _ in range(5):
        walk(rig, 1.0)
    assert movements(rig) == []
    assert [when for when, _ in run(rig, 0.35)] == pytest.approx([0.1, 0.3])


def test_there_and_back_before_its_turn_is_standing_still() -> None:
    rig = Rig().join()
    walk(rig, 1.0)
    walk(rig, 2.0)
    walk(rig, 1.0)
    assert [movement.position_x for movement in movements(rig) + [m for _, m in run(rig, 0.15)]] == [1.0, 1.0]


@pytest.mark.parametrize("sudden", [{"grounded": False}, {"instant": True}])
def test_a_jump_does_not_wait(sudden: dict[str, bool]) -> None:
    rig = Rig().join()
    walk(rig, 1.0)
    movements(rig)
    rig.now = 0.01
    walk(rig, 1.0, **sudden)
    (movement,) = movements(rig)
    assert movement.is_instant is sudden.get("instant", False)
    assert [movement.is_instant for _, movement in run(rig, 0.12)] == [False]


@pytest.mark.parametrize("field", [{"jump_count": 1}, {"is_jumping": True}])
def test_another_jump_does_not_wait(field: dict[str, Any]) -> None:
    rig = Rig().join()
    rig.session.move(Movement(position_x=1.0), now=0.0)
    rig.session.move(Movement(position_x=1.0, **field), now=0.01)
    assert len(movements(rig)) == 2


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.integers(0, 3), st.booleans(), st.booleans()), max_size=60))
def test_never_more_than_ten_in_a_second(steps: list[tuple[float, int, bool, bool]]) -> None:
    rig = Rig().join()
    times: list[float] = []
    for pause, x, grounded, instant in steps:
        times += [when for when, _ in run(rig, pause)]
        walk(rig, float(x), grounded=grounded, instant=instant)
        times += [rig.now] * len(movements(rig))
    times += [when for when, _ in run(rig, 2.0)]
    assert all(later - sooner >= 1.0 - 1e-9 for sooner, later in zip(times, times[10:], strict=False))


def test_a_whole_movement_goes_out_as_it_is_and_is_repeated_with_its_own_clock() -> None:
    rig = Rig().join()
    movement = Movement(timestamp=70.0, position_x=5.0, glide_state=1)
    rig.session.move(movement, now=1.0)
    movement.position_x = 6.0  # the caller may use it again
    (first,) = movements(rig)
    assert (first.timestamp, first.position_x) == (70.0, 5.0)
    rig.now = 1.0
    (_, again), *_ = run(rig, 0.15)
    assert (again.timestamp, again.glide_state) == (pytest.approx(70.1, abs=1e-4), 1)
    assert again.position_x == 5.0


def test_what_is_addressed_goes_out_at_once_and_once() -> None:
    rig = Rig().join("alice")
    for _ in range(20):
        walk(rig, 1.0, to=PeerId("alice"))
    assert len(movements(rig)) == 20
    assert rig.session.deadline() is None


def test_what_can_t_be_sent_is_refused_at_once() -> None:
    rig = Rig().join()
    rig.session.move(HERE, now=0.0)
    bad: Any = "nonsense"
    for movement, error in (
        ((math.nan, 0.0, 0.0), LocalProtocolError),
        (Movement(jump_count=bad), EncodeError),
        (Movement.FromString(b"\xa2\x06\x80\x08" + bytes(1024)), PacketTooLarge),
    ):
        with pytest.raises(error):
            rig.session.move(movement, now=0.0)
    assert len(movements(rig)) + len(run(rig, 0.15)) == 2
    gone = Rig()
    gone.session.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        gone.session.move(HERE)
    mute = Rig(livekit(can_publish_data=False)).join()
    with pytest.raises(PermissionMissing):
        mute.session.move(HERE)


def test_how_large_a_movement_may_be_is_a_limit() -> None:
    rig = Rig(limits=Limits(movement_bytes=10)).join()
    with pytest.raises(PacketTooLarge, match="10"):
        rig.session.move(HERE, now=0.0)
    assert movements(rig) == []


def test_while_the_link_is_repaired_the_newest_waits() -> None:
    rig = Rig().join()
    walk(rig, 1.0)
    movements(rig)
    rig.fall_silent()
    for x in range(2, 9):
        walk(rig, float(x))
    assert run(rig, 3.0) == []
    rig.tell(LinkReconnected)
    assert [movement.position_x for movement in movements(rig)] == [8.0]


def test_after_joining_anew_we_are_told_of_at_once() -> None:
    rig = Rig(reconnect=STEADY).join()
    walk(rig, 1.0)
    movements(rig)
    rig.lose()
    walk(rig, 2.0)
    rig.timer()
    rig.join()
    (movement,) = movements(rig)
    assert (movement.position_x, movement.is_instant) == (2.0, True)
    rig.lose()
    rig.timer()
    rig.join()
    (movement,) = movements(rig)
    assert (movement.position_x, movement.is_instant) == (2.0, True)
    assert movement.timestamp == pytest.approx(rig.now, abs=1e-4)


def test_who_leaves_moves_no_more() -> None:
    rig = Rig().join()
    walk(rig, 1.0)
    rig.session.chat("last words")
    rig.sent()
    rig.close(drain=2.0)
    rig.pass_time(1.0)
    assert rig.sent() == []


def test_where_the_queue_is_full_the_next_turn_will_do() -> None:
    rig = Rig(limits=Limits(in_flight=1, send_queue=0)).join()
    walk(rig, 1.0)
    (command,) = rig.sent()
    walk(rig, 2.0)
    rig.timer()
    assert rig.session.counters["skipped"] == 1
    rig.acknowledge(command.token)
    assert [movement.position_x for _, movement in run(rig, 0.15)] == [2.0]


def test_who_comes_late_sees_who_stands_still() -> None:
    pair = Pair(seed=3)
    pair.a.session.open(now=0.0)
    pair.run(2.0)
    pair.a.session.move(HERE)
    pair.run(5.0)
    pair.b.session.open(now=pair.clock.now)
    pair.run(4.5)
    assert any(isinstance(event, PeerMoved) and event.position == HERE for event in pair.b.take_events())
