"""What a tick of a Pulse server costs, in work that is counted: nothing where nothing is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.core.pulse_server import PulseNet, Walker, rectangles

from dcl_comms_core import Limits
from dcl_comms_core.codec import encode
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse import PulseSettings, deltas

if TYPE_CHECKING:
    from collections.abc import Iterable

MANY = 12
PLENTY = PulseSettings(address_players=1_000, address_listeners=10)


def crowd(places: Iterable[tuple[int, int]]) -> tuple[PulseNet, list[Walker]]:
    """One on each of these parcels, who all know each other."""
    net = PulseNet(settings=PLENTY, delay=(0.0, 0.0))
    walkers = [net.placed(number, place) for number, place in enumerate(places)]
    net.run(1.0)
    net.quiet(*walkers)
    return net, walkers


def work(net: PulseNet) -> tuple[int, int]:
    """Pairs of players that were compared, and looks at what one was told of another, since the beginning."""
    return net.server.counters["compared"], net.server.counters["looked"]


def done(net: PulseNet, before: tuple[int, int]) -> tuple[int, int]:
    compared, looked = work(net)
    return compared - before[0], looked - before[1]


def test_where_nothing_is_new_nothing_is_done() -> None:
    net, walkers = crowd((number % 4, number // 4) for number in range(MANY))
    listener = net.walker(MANY)
    listener.listen(("main", (0, 0, 9, 9)))
    net.run(1.0)
    net.quiet(listener)
    before = work(net)
    net.run(10.0)
    assert done(net, before) == (0, 0)
    assert all(walker.heard() == [] for walker in (*walkers, listener))


def test_who_moves_is_looked_at_once_for_each_who_sees_it_and_compared_with_nobody() -> None:
    net, walkers = crowd([(0, 0)] * MANY)
    before = work(net)
    for step in range(5):
        walkers[0].move(position_x=step + 1)
        net.run(0.1)
    assert done(net, before) == (0, 5 * (MANY - 1))
    assert all(len(walker.heard()) == 5 for walker in walkers[1:])


def test_a_delta_is_made_once_for_all_who_are_told_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Half of them are in the first tier, half in the second one.
    net, walkers = crowd([(0, 0), *[(1, 0), (3, 0)] * 5])
    made: list[bytes] = []

    def counted(message: pulse.ServerMessage) -> bytes:
        made.append(encode(message))
        return made[-1]

    monkeypatch.setattr(deltas, "encode", counted)
    walkers[0].move(position_x=1)
    net.run(0.2)
    assert all(len(walker.heard()) == 1 for walker in walkers[1:])
    assert len(made) == 2


def test_who_is_on_the_edge_is_compared_with_whoever_moves_and_nobody_else_is() -> None:
    # 192 m, of 200: the second one may soon be out of sight.
    net, (one, other, third) = crowd([(0, 0), (12, 0), (1, 0)])
    before = work(net)
    one.move(position_x=1)
    net.run(0.3)
    assert done(net, before)[0] == 1
    assert [len(walker.heard()) for walker in (other, third)] == [1, 1]


def test_who_went_far_is_compared_with_all_around_once() -> None:
    net, walkers = crowd([(0, 0)] * MANY)
    before = work(net)
    walkers[0].move((1, 0))
    net.run(0.1)
    walkers[0].move((1, 0), position_x=5)
    net.run(0.1)
    assert done(net, before)[0] == MANY - 1


def test_edges_are_left_and_passed_step_by_step() -> None:
    net, (one, other) = crowd([(0, 0), (11, 0)])
    seen = []
    for metres in (8, 12, 15, 4, 2, 0):
        parcel = (12 if metres > 3 else 13, 0)
        other.move(parcel, position_x=metres * 15)
        net.run(5.0)
        seen.append([one.names()[-1:], other.names()[-1:]])
    # From 200 m on they do not see each other; one who moves is told nothing by that.
    assert [mine for mine, _ in seen] == [
        ["player_state_delta"], ["player_left"], [], ["player_joined"], ["player_left"], [],
    ]  # fmt: skip
    assert [theirs for _, theirs in seen] == [[], ["player_left"], [], ["player_joined"], ["player_left"], []]


def test_who_is_on_the_edge_and_goes_to_another_realm_has_left_as_late_as_anybody() -> None:
    net, (one, other) = crowd([(0, 0), (12, 0)])
    one.move(position_x=1)
    net.run(0.0)
    other.teleport((0, 0), realm="elsewhere.dcl.eth")
    net.run(0.5)
    assert one.heard() == []
    net.run(4.0)
    assert one.names() == ["player_left"]


@pytest.mark.parametrize("who", [0, 1])
def test_who_is_gone_before_it_was_told_of_is_never_told_of(who: int) -> None:
    # At 96 m somebody is looked at in every fourth tick.
    net, walkers = crowd([(0, 0), (40, 0)])
    joined = []
    for turn in range(4):
        walkers[1].teleport((6, 0))
        net.run(0.05)
        walkers[who].teleport((40, 0), realm="elsewhere.dcl.eth")
        net.run(5.0)
        names = walkers[0].names()
        assert names in ([], ["player_joined", "player_left"])
        joined.append(bool(names))
        walkers[0].teleport()
        net.run(5.0)
        walkers[1].teleport((40, 0))
        # Each time another tick comes first.
        net.run(5.0 + 0.05 * turn)
        net.quiet(*walkers)
    assert set(joined) == {False, True}


def test_who_is_told_more_in_a_tick_than_it_may_hold_is_let_go() -> None:
    net = PulseNet(settings=PLENTY, delay=(0.0, 0.0), limits=Limits(enet_send_bytes=1_300))
    listener = net.walker(99)
    listener.listen(("main", (0, 0, 150, 0)))
    # Far from each other, so that no one of them is told of more than a few.
    walkers = [net.placed(number, (number * 14, 0)) for number in range(11)]
    net.run(1.0)
    assert listener.ended is None
    for number, walker in enumerate(walkers):
        walker.move((number * 14, 0), position_x=1)
    net.run(0.3)
    assert listener.ended is DisconnectReason.NONE
    assert net.server.counters["ended.none"] == 1
    assert len(net.server.players()) == 11


def test_a_listener_who_leaves_is_not_told_any_more_and_costs_nothing() -> None:
    net, (one, _) = crowd([(0, 0), (0, 0)])
    listener = net.walker(9)
    listener.listen(("main", (0, 0, 9, 9)))
    net.run(0.5)
    listener.say(scene_listener_update=pulse.SceneListenerUpdate(aoi=rectangles(("main", (0, 0, 3, 3)))))
    net.run(0.5)
    listener.party.client.disconnect()
    net.run(1.0)
    before = work(net)
    one.move(position_x=5)
    net.run(0.2)
    assert done(net, before) == (0, 1)


@pytest.mark.parametrize("radii", [(30.0, 60.0, 200.0), (1.0, 2.0, 3.0)])
def test_any_radii_are_kept(radii: tuple[float, float, float]) -> None:
    net = PulseNet(settings=PulseSettings(radii=radii), delay=(0.0, 0.0))
    one, other = net.placed(0), net.placed(1)
    net.run(1.0)
    assert one.names() == ["player_joined"]
    other.move(position_x=255)
    net.run(5.0)
    assert one.names() == (["player_state_delta"] if radii[2] > 16 else ["player_left"])
