"""Who is near, who is nearest, and we ourselves."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.room import ME, Rig, people, wire
from rigs.core.world import Universe, settled

from dcl_comms_core import LocalProtocolError, Movement, ParticipantLeft, Peer, PeerId, near, nearest
from dcl_comms_core.events import Vector3
from dcl_comms_core.peers import PeerTable

ORIGIN = Vector3(0.0, 0.0, 0.0)
places = st.one_of(st.none(), st.tuples(*(st.floats(-100.0, 100.0),) * 3))


@given(st.lists(places, max_size=8), st.floats(0.0, 200.0), st.sets(st.integers(0, 7)))
def test_near_is_what_it_says(spots: list[Any], metres: float, left_out: set[int]) -> None:
    table = PeerTable(100)
    for number, spot in enumerate(spots):
        table.put(Peer(id=PeerId(str(number)), joined_at=0.0, position=None if spot is None else Vector3(*spot)))
    but = {PeerId(str(number)) for number in left_out}
    away = {
        str(number): sum(axis * axis for axis in spot) ** 0.5
        for number, spot in enumerate(spots)
        if spot is not None and number not in left_out
    }
    found = near(table, ORIGIN, metres, but=but)
    distances = [away[peer.id.text] for peer in found]
    assert distances == sorted(distances)
    assert {peer.id.text for peer in found} >= {who for who, distance in away.items() if distance < metres - 1e-9}
    assert all(distance <= metres + 1e-9 for distance in distances)
    first = nearest(table, ORIGIN, but=but)
    assert (first is None) == (not away)
    assert first is None or away[first.id.text] <= min(away.values()) + 1e-9


@pytest.mark.parametrize("metres", [-1.0, nan, inf, "5", None, True])
def test_how_near_is_a_number_of_metres(metres: Any) -> None:
    with pytest.raises(LocalProtocolError, match="how near"):
        near(PeerTable(1), ORIGIN, metres)


def test_of_two_at_the_same_distance_either_will_do() -> None:
    table = PeerTable(9)
    for who in ("b", "a"):
        table.put(Peer(id=PeerId(who), joined_at=0.0, position=Vector3(1.0, 0.0, 0.0)))
    first = nearest(table, ORIGIN)
    assert first is not None
    assert first.id.text == "a"
    assert [peer.id.text for peer in near(table, ORIGIN, 1.0)] == ["b", "a"]


def test_who_left_is_not_near() -> None:
    rig = Rig().join("alice")
    rig.data(wire(movement=Movement(position_x=1.0)))
    assert [peer.id.text for peer in near(rig.session.peers, ORIGIN, 1.0)] == ["alice"]
    rig.tell(ParticipantLeft, identity="alice")
    assert near(rig.session.peers, ORIGIN, 1.0) == []
    assert nearest(rig.session.peers, ORIGIN) is None


def test_we_ourselves_in_one_room() -> None:
    rig = Rig()
    assert (rig.session.me.id, rig.session.me.rooms, rig.session.me.moved_at) == (None, (), None)
    rig.join(*(who.identity for who in people("alice")))
    assert (rig.session.me.id, rig.session.me.rooms) == (PeerId(ME), ("main",))
    assert (rig.session.me.position, rig.session.me.yaw) == (ORIGIN, 0.0)
    rig.session.move((1.0, 2.0, 3.0), velocity=(4.0, 0.0, 0.0), yaw=90.0, now=5.0)
    me = rig.session.me
    assert (me.position, me.velocity, me.yaw, me.moved_at) == ((1.0, 2.0, 3.0), (4.0, 0.0, 0.0), 90.0, 5.0)
    # What is told to some is a message, and no place that we are at.
    rig.session.move((9.0, 9.0, 9.0), to="alice")
    with pytest.raises(LocalProtocolError):
        rig.session.move((1.0, nan, 3.0))
    assert rig.session.me == me


def test_we_ourselves_in_a_realm() -> None:
    here = Universe()
    citizen = settled(here, position=(1.0, 0.0, 2.0))
    session = citizen.session
    assert (session.me.position, session.me.moved_at, session.me.rooms) == ((1.0, 0.0, 2.0), None, ("island",))
    assert session.me.id == session.identity
    session.move((3.0, 0.0, 4.0), yaw=45.0, now=here.clock.now)
    assert (session.me.position, session.me.yaw, session.me.moved_at) == ((3.0, 0.0, 4.0), 45.0, here.clock.now)
    session.set_position((5.0, 0.0, 6.0), now=here.clock.now)
    assert session.me.position == (5.0, 0.0, 6.0)
