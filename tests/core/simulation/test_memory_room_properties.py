"""The in-memory room under faults drawn by Hypothesis: reliable packets, and the same again from the same seed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dcl_comms_core import ChatReceived, Faults, PacketReceived, PeerId, PeerMoved, Reaction, ReactionReceived
from dcl_comms_core.proto import rfc4
from dcl_comms_core.testing import Pair

NAMES = ("a", "b", "c")
chances = st.sampled_from([0.0, 0.3, 1.0])
faults = st.builds(
    Faults,
    latency=st.sampled_from([0.0, 0.02, 0.3]),
    jitter=st.sampled_from([0.0, 0.1, 0.5]),
    loss=chances,
    duplicate=chances,
    reorder=chances,
    announce_every=st.sampled_from([0.0, 3.0]),
    notice=st.sampled_from([0.0, 0.1]),
    # Nobody gives up: then everything reliable has to arrive.
    give_up=st.just(1e6),
)
who = st.integers(0, 2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), who, st.sampled_from([None, 0, 1, 2, (0, 1), (1, 2)])),
        st.tuples(st.just("move"), who, st.none()),
        st.tuples(st.just("cut"), who, st.none()),
        st.tuples(st.just("heal"), who, st.none()),
        st.tuples(st.just("wait"), st.sampled_from([0.01, 0.05, 0.2, 1.0]), st.none()),
    ),
    max_size=40,
)


def act(seed: int, faults: Faults, script: list[tuple[str, Any, Any]]) -> tuple[Pair, dict[tuple[str, str], list[int]]]:
    """Play a script; gives the room afterwards, and what each should hear of each sender, in order."""
    trio = Pair(seed=seed, faults=faults, identities=NAMES, announce=seed % 2 == 0)
    trio.open()
    expected: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, (verb, what, to) in enumerate(script, 1):
        if verb == "wait":
            trio.run(what)
        elif verb == "cut":
            trio.room.partition(NAMES[what], now=trio.clock.now)
        elif verb == "heal":
            trio.room.heal(NAMES[what], now=trio.clock.now)
        elif verb == "move":
            trio.parties[what].session.move((float(number), 0.0, 0.0))
        else:
            named = range(3) if to is None else (to,) if isinstance(to, int) else to
            packet = rfc4.Packet(reaction=Reaction(emoji_index=number))
            if to is None:
                trio.parties[what].session.send(packet)
            else:
                trio.parties[what].session.send(packet, to=[PeerId(NAMES[index]) for index in named])
            for index in named:
                if index != what:
                    expected[NAMES[what], NAMES[index]].append(number)
    trio.room.heal(*NAMES, now=trio.clock.now)
    trio.run(10.0)
    return trio, expected


@settings(max_examples=120)
@given(st.integers(0, 2**64), faults, steps)
def test_reliable_packets_arrive_once_and_in_order(seed: int, faults: Faults, script: list[Any]) -> None:
    trio, expected = act(seed, faults, script)
    sender_of = {number: NAMES[what] for number, (verb, what, _) in enumerate(script, 1) if verb == "send"}
    for party in trio.parties:
        heard: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for event in party.events:
            if isinstance(event, ReactionReceived):
                sender = sender_of[event.emoji_index]
                assert event.sender in (None, PeerId(sender))
                heard[sender, party.port.identity].append(event.emoji_index)
        assert heard == {pair: numbers for pair, numbers in expected.items() if pair[1] == party.port.identity}
        assert party.session.unacknowledged == 0
        assert [peer.text for peer in party.session.peers if peer.text == party.port.identity] == []


@settings(max_examples=40)
@given(st.integers(0, 2**64), faults, steps)
def test_the_same_seed_and_the_same_calls_give_the_same_events(seed: int, faults: Faults, script: list[Any]) -> None:
    first, second = (act(seed, faults, script)[0] for _ in range(2))
    assert [repr(party.events) for party in first.parties] == [repr(party.events) for party in second.parties]
    assert first.clock.now == second.clock.now


def test_the_same_in_every_process() -> None:
    """Sets and hashes, which differ from one interpreter to the next, decide nothing."""
    script = """
from dcl_comms_core import Backoff, Faults, PublishMicrophone
from dcl_comms_core.testing import Pair
trio = Pair(seed=9, identities=tuple("abcdef"), reconnect=Backoff(),
            faults=Faults(jitter=0.2, loss=0.3, duplicate=0.3, reorder=0.3, notice=0.1, give_up=1.0))
trio.open()
for number, party in enumerate(trio.parties):
    party.session.chat("hello", to=trio.a.session.peers)
    party.session.move((number, 0.0, 0.0))
    trio.run(0.1)
trio.room.partition("a", "d", now=trio.clock.now)
trio.run(3.0)
trio.room.heal("d", "a", now=trio.clock.now)
trio.run(9.0)
print([party.events for party in trio.parties])
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert b"Reconnected" in outputs[0]


def test_another_seed_gives_other_faults() -> None:
    script = [("move", 0, None), ("wait", 0.05, None)] * 30
    heard = set()
    for seed in range(0, 20, 2):
        trio, _ = act(seed, Faults(loss=0.5), script)
        heard.add(tuple(event.position.x for event in trio.b.events if isinstance(event, PeerMoved)))
    assert len(heard) == 10


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.sampled_from(["cut", "heal", "send", "remove", "reopen"]), st.floats(0.0, 4.0)), max_size=12),
)
def test_every_session_comes_to_its_end(seed: int, script: list[tuple[str, float]]) -> None:
    """Give-up, removal and late healing in any order: no step raises, and closing always closes."""
    pair = Pair(seed=seed, faults=Faults(jitter=0.1, notice=0.1, give_up=2.0))
    pair.open()
    for verb, pause in script:
        there = "bob" in pair.room.identities
        if verb == "cut" and there:
            pair.room.partition("bob", now=pair.clock.now)
        elif verb == "heal" and there:
            pair.room.heal("bob", now=pair.clock.now)
        elif verb == "remove" and there:
            pair.room.remove("bob", now=pair.clock.now)
        elif verb == "send" and pair.a.session.state.value == "open":
            pair.a.session.chat("x")
        pair.run(pause)
    for party in pair.parties:
        party.session.close(now=pair.clock.now)
    pair.run(20.0)
    for party in pair.parties:
        assert party.session.state.value == "closed"
        assert type(party.events[-1]).__name__ == "RoomClosed"
        assert party.session.deadline() is None
    assert pair.room.identities == ()
    assert not any(isinstance(event, PacketReceived) for event in pair.b.events)
    assert all(event.text == "x" for event in pair.b.events if isinstance(event, ChatReceived))
