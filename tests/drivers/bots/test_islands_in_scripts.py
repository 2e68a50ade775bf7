"""run_bot with islands: a bot that is moved to another, peers that are left behind and met again."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.testing import Ending, run_bot
from hypothesis import Phase, given, settings

from dcl_comms_core import ChatReceived, CloseReason, IslandChanged, PeerJoined, PeerLeft, RoomClosed, RoomOpened
from dcl_comms_core.testing import Faults
from dcl_comms_core.testing.script import Cut, Heal, Join, OnChat, Remove, Say, ToIsland
from dcl_comms_core.testing.strategies import scripts

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
FAULTS = Faults(latency=0.05)


async def echo(room):
    async for event in room:
        if isinstance(event, ChatReceived) and event.text.startswith("!"):
            room.chat(event.text[1:])


def told(transcript, *kinds):
    """What of these kinds came, in order: islands, rooms and names."""
    names = []
    for event in transcript.received:
        match event:
            case IslandChanged():
                names.append(f"to {event.island}")
            case RoomOpened():
                names.append(f"in {event.name}")
            case RoomClosed():
                names.append(f"out: {event.reason.value}")
            case PeerJoined():
                names.append(f"+{event.sender.text}")
            case PeerLeft():
                names.append(f"-{event.sender.text}")
            case _:
                pass
    return names


@BACKENDS
def test_a_bot_that_is_moved_leaves_peers_behind_and_meets_them_again(backend):
    script = [
        Join(0.0, "alice"),
        ToIsland(1.0, "bob", "east"),
        Join(2.0, "bob"),
        Say(5.0, "alice", "!one"),
        ToIsland(10.0, "bot", "east"),
        Say(20.0, "alice", "!not heard"),
        Say(20.0, "bob", "!two"),
        ToIsland(30.0, "alice", "east"),
        Say(40.0, "alice", "!three"),
        ToIsland(41.0, "alice", "east"),  # where it is
    ]
    transcript = run_bot(echo, script=script, backend=backend, faults=FAULTS)
    assert [text for _, text in transcript.chats] == ["one", "two", "three"]
    assert told(transcript)[:3] == ["to stage", "in stage", "+alice"]
    assert set(told(transcript)[3:]) == {"to east", "in east", "+bob", "out: closed by us", "-alice", "+alice"}
    assert told(transcript)[-1] == "+alice"
    assert transcript.ending is Ending.IDLE
    heard = {
        who: [event.text for event in events if isinstance(event, ChatReceived)]
        for who, events in transcript.heard.items()
    }
    assert heard == {"alice": ["one", "three"], "bob": ["two", "!three", "three"]}
    assert [entry.value for entry in transcript.entries if entry.kind == "skipped"] == [script[-1]]


@BACKENDS
def test_the_same_on_both_loops_with_peers_that_are_programs(backend):
    async def asks(room):
        async for event in room:
            if isinstance(event, PeerJoined) and event.sender.text == "bot":
                room.chat("!hello")

    script = [ToIsland(5.0, "bot", "east"), ToIsland(9.0, "carol", "east"), ToIsland(20.0, "bot", "stage")]
    runs = [
        run_bot(echo, script=script, backend=one, faults=FAULTS, peers={"carol": asks}) for one in (backend, "asyncio")
    ]
    assert str(runs[0]) == str(runs[1])
    assert [text for _, text in runs[0].chats] == ["hello", "hello"]


@BACKENDS
def test_an_answer_may_be_another_island(backend):
    script = [
        Join(0.0, "alice"),
        OnChat(0.0, "alice", (ToIsland(1.0, "alice", "far"), ToIsland(2.0, "bot", "far")), contains="follow"),
        Say(5.0, "alice", "!follow"),
        Say(20.0, "alice", "!here"),
    ]
    transcript = run_bot(echo, script=script, backend=backend, faults=FAULTS)
    assert [text for _, text in transcript.chats] == ["follow", "here"]


@BACKENDS
def test_an_island_s_room_is_cut_off_and_ended_where_the_bot_is(backend):
    script = [
        ToIsland(5.0, "bot", "east"),
        Cut(10.0, "bot"),
        Heal(15.0, "bot"),
        Remove(30.0, "bot"),
    ]
    transcript = run_bot(echo, script=script, backend=backend, faults=FAULTS)
    assert (transcript.ending, transcript.lost.reason) == (Ending.LOST, CloseReason.REMOVED)
    assert [entry.kind for entry in transcript.entries if entry.value in script] == ["script"] * 4


@given(scripts(islands=("stage", "east", "west"), max_size=12))
@settings(max_examples=25, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
def test_whatever_happens_both_loops_give_the_same(script):
    runs = [run_bot(echo, script=script, backend=backend, faults=FAULTS) for backend in ("asyncio", "trio")]
    assert str(runs[0]) == str(runs[1])
    assert runs[0].ending in {Ending.IDLE, Ending.LOST, Ending.TIME_OVER}
    # Whoever is moved hears so.
    moves = [entry.value for entry in runs[0].entries if entry.kind == "script" and isinstance(entry.value, ToIsland)]
    goals = [move.island for move in moves if move.who == "bot"]
    told_ = [event.island for event in runs[0].received if isinstance(event, IslandChanged)]
    assert runs[0].ending is Ending.LOST or not goals or told_[-1] == goals[-1]


@BACKENDS
def test_who_is_cut_off_is_so_on_every_island(backend):
    script = [
        ToIsland(0.0, "alice", "east"),
        Join(0.0, "alice"),
        ToIsland(3.0, "bot", "east"),
        Cut(8.0, "bot"),
        ToIsland(9.0, "bot", "stage"),  # nobody can tell it
        Say(40.0, "alice", "!anybody?"),
        Heal(50.0, "bot"),
        Heal(51.0, "bot"),
        Say(100.0, "alice", "!there?"),
        Cut(110.0, "alice"),
        ToIsland(111.0, "alice", "stage"),
    ]
    result = run_bot(echo, script=script, backend=backend, seconds=120.0)
    assert [entry.value.at for entry in result.entries if entry.kind == "skipped"] == [9.0, 51.0, 111.0]
    assert [event.at for event in result.received if isinstance(event, RoomOpened) and 8.0 < event.at < 50.0] == []
    assert [text for _, text in result.chats] == ["there?"]
