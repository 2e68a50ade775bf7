"""The network of a deployment: what is lost, doubled, held and broken on it."""

from __future__ import annotations

import pytest

from dcl_comms_core.deployment.network import Network
from dcl_comms_core.deployment.streams import Stream
from dcl_comms_core.simulation.settings import Faults

HERE, THERE = ("10.0.0.1", 1), ("10.0.0.2", 2)


def network(**faults: float) -> Network:
    return Network(seed=1, faults=Faults(**{"latency": 0.1, "give_up": 10.0, **faults}))


def run(net: Network, seconds: float) -> None:
    end = net.clock.now + seconds
    while (due := net.deadline()) is not None and due <= end:
        net.clock.advance_to(due)
        net.run()
    net.clock.advance_to(end)


def datagrams(net: Network, number: int) -> list[bytes]:
    came: list[bytes] = []
    net.bind(THERE, "there", lambda source, data: came.append(data) if source == HERE else None)
    for place in range(number):
        net.send("here", HERE, THERE, bytes([place]))
        run(net, 0.01)
    run(net, 5.0)
    net.unbind(THERE)
    net.send("here", HERE, THERE, b"nobody is there")
    run(net, 5.0)
    return came


def test_datagrams_come_as_they_went_where_nothing_is_wrong() -> None:
    assert datagrams(network(), 50) == [bytes([place]) for place in range(50)]


def test_datagrams_are_lost_doubled_and_late() -> None:
    assert 50 < len(datagrams(network(loss=0.3), 100)) < 90
    assert 110 < len(datagrams(network(duplicate=0.3), 100)) < 150
    for faults in ({"jitter": 0.1}, {"reorder": 0.3}):
        came = datagrams(network(**faults), 100)
        assert came != sorted(came)
        assert sorted(came) == [bytes([place]) for place in range(100)]


def test_nothing_comes_where_there_is_no_way() -> None:
    net = network()
    assert net.cut("here", "there")
    assert not net.cut("there", "here"), "it is the same one"
    assert datagrams(net, 5) == []
    assert net.heal("there", "here")
    assert not net.heal("here", "there")
    assert len(datagrams(net, 5)) == 5


class Call:
    """A stream, and what came of it at either end."""

    def __init__(self, net: Network) -> None:
        self.stream = Stream(net, "here", "there")
        self.up: list[object] = []
        self.down: list[object] = []
        self.stream.broken.append(lambda: self.up.append("broken"))
        self.stream.broken.append(lambda: self.down.append("broken"))

    def say(self, what: object) -> None:
        self.stream.up(lambda: self.up.append(what))

    def hear(self, what: object) -> None:
        self.stream.down(lambda: self.down.append(what))


def test_a_stream_brings_everything_in_order_whatever_is_lost() -> None:
    net = network(loss=0.3, jitter=0.2)
    call = Call(net)
    for number in range(100):
        call.say(number)
        call.hear(number)
        run(net, 0.01)
    run(net, 30.0)
    assert call.up == call.down == list(range(100))
    # Everything is late by what was lost before it.
    call.say("late")
    start = net.clock.now
    while call.up[-1] != "late":
        run(net, 0.05)
    assert net.clock.now - start >= 0.1


def test_a_stream_holds_what_was_said_until_there_is_a_way() -> None:
    net = network()
    call = Call(net)
    net.cut("here", "there")
    call.say("one")
    call.hear("two")
    run(net, 5.0)
    assert call.up == call.down == []
    net.heal("here", "there")
    run(net, 1.0)
    assert (call.up, call.down) == (["one"], ["two"])
    # Another cut, and another one after it: only the last counts.
    net.cut("here", "there")
    run(net, 6.0)
    net.heal("here", "there")
    net.cut("here", "there")
    run(net, 6.0)
    net.heal("here", "there")
    call.say("three")
    run(net, 1.0)
    assert call.up == ["one", "three"]


def test_a_stream_breaks_where_there_is_no_way_for_long_and_so_do_those_after_it() -> None:
    net = network()
    call, elsewhere = Call(net), Stream(net, "here", "elsewhere")
    net.cut("here", "there")
    call.say("never")
    run(net, 9.9)
    late = Call(net)
    run(net, 0.2)
    assert call.up == call.down == late.up == ["broken"]
    again = Call(net)
    run(net, 10.0)
    assert again.up == again.down == ["broken"]
    net.heal("here", "there")
    run(net, 20.0)
    assert call.up == ["broken"]
    came: list[str] = []
    elsewhere.up(lambda: came.append("it goes on"))
    run(net, 1.0)
    assert came == ["it goes on"]
    assert net.deadline() is None


def test_the_end_is_the_last_that_is_heard() -> None:
    net = network()
    call = Call(net)
    call.say("one")
    call.stream.end_up(lambda: call.up.append("over"))
    call.hear("two")
    run(net, 1.0)
    assert (call.up, call.down) == (["one", "over"], ["two"])
    other = Call(net)
    other.hear("what was on its way")
    other.say("to nobody")
    other.stream.reset(lambda: other.down.append("gone"))
    run(net, 1.0)
    assert (other.up, other.down) == ([], ["gone"])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_decides_all(seed: int) -> None:
    def came(number: int) -> list[bytes]:
        return datagrams(Network(seed=number, faults=Faults(loss=0.3, jitter=0.1, duplicate=0.1)), 50)

    assert came(seed) == came(seed) != came(seed + 2)
