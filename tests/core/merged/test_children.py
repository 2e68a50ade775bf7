"""The table of children by itself: who has news, when the first is due, where a movement would go."""

from __future__ import annotations

from rigs.core.children import opened, table
from rigs.core.room import wire

from dcl_comms_core import Chat, Movement, RoomRole
from dcl_comms_core.limits import Limits
from dcl_comms_core.merged.arrivals import Arrivals
from dcl_comms_core.merged.children import Child
from dcl_comms_core.room.output import Output
from dcl_comms_core.testing import MemorySource
from dcl_comms_core.tools.clock import Clock


def links(children: list[Child]) -> list[int]:
    return [child.link for child in children]


def test_only_rooms_that_were_told_something_have_news_in_the_order_of_joining_whoever_told_them() -> None:
    one, two, three = opened(7), opened(3), opened(5)
    children = table(one, two, three)
    for child in (three, one):
        assert child.room is not None
        child.room.receive_data("alice", wire(chat=Chat(message="x", timestamp=1.0)), now=1.0)
    assert links(children.with_news()) == [7, 5]
    children.taken(one, changed=False)
    assert links(children.with_news()) == [5]
    # That somebody asked when it is due does not mean that anything was taken.
    assert children.deadline() is None
    assert (children.news, links(children.with_news())) == (set(), [5])
    assert two.room is not None
    two.room.chat("y", now=1.0)
    assert links(children.with_news()) == [3, 5]


def test_a_source_of_another_make_may_have_something_at_any_time() -> None:
    source = Child(MemorySource(9), RoomRole.SOURCE)
    children = table()
    children.add(source)
    children.taken(source, changed=False)
    assert children.restless
    assert links(children.with_news()) == [9]
    assert children.rooms == {}
    source.session.open(now=2.0)
    assert children.deadline() == 22.0
    children.give_until(source, 30.0)
    children.give_until(source, 10.0)
    children.give_until(source, 20.0)
    assert children.deadline() == 10.0
    children.remove(source)
    assert (children.deadline(), len(children), children.restless) == (None, 0, False)


def test_the_deadline_is_that_of_the_first_of_them_and_follows_each_change() -> None:
    one, two = opened(1), opened(2)
    children = table(one, two)
    assert children.deadline() is None
    assert one.room is not None
    assert two.room is not None
    one.room.move((1.0, 0.0, 0.0), now=4.0)
    two.room.move((1.0, 0.0, 0.0), now=2.0)
    dues = [room.deadline() for room in (one.room, two.room)]
    assert children.deadline() == min(due for due in dues if due is not None)
    children.remove(two)
    assert children.deadline() == one.room.deadline()
    # Whoever is not in the table any more changes nothing there.
    two.room.move((2.0, 0.0, 0.0), instant=True, now=5.0)
    assert 2 not in children.news
    assert (2 in children, children.get(2), children.links) == (False, None, (1,))


def test_a_movement_goes_where_we_are_seen_and_packets_flow() -> None:
    other = opened(1, RoomRole.OTHER)
    children = table(other)
    assert not children.any_walks
    island = opened(2)
    children.add(island)
    assert children.any_walks
    assert links(children.walking()) == [2]
    assert island.room is not None
    island.room.close(now=0.0)
    assert not children.any_walks
    assert children.walking() == []


def test_what_comes_of_packets_is_taken_before_they_go_to_another_room() -> None:
    limits, clock = Limits(movement_rate=1, burst_seconds=1.0), Clock()
    taken: list[tuple[int, int]] = []
    one, two = opened(1, limits=limits), opened(2)
    children = table(one, two)
    output = Output("", clock)

    def take(child: Child) -> None:
        taken.append((child.link, len(child.session.events())))
        children.taken(child, changed=False)

    arrivals = Arrivals(children, output, clock, take)

    def packet(link: int, now: float, x: float) -> None:
        arrivals.receive("alice", wire(movement=Movement(position_x=x)), link, False, "", now, None)

    packet(1, 1.0, 1.0)
    packet(1, 1.0, 2.0)
    packet(1, 1.0, 3.0)
    # The third one waits for its turn: that is a deadline, although nobody was told anything.
    assert children.deadline() is not None
    assert taken == []
    packet(2, 2.0, 1.0)
    assert (taken, clock.now) == ([(1, 3)], 2.0)  # two movements, and LimitReached
    assert arrivals.last is two
    assert children.with_news() == []  # nobody needs to ask the rooms anything
    packet(3, 3.0, 1.0)
    packet(3, 3.0, 1.0)
    assert (taken, clock.now) == ([(1, 3), (2, 1)], 3.0)
    assert output.counters == {"late": 2}
    arrivals.settle()
    assert arrivals.last is None
