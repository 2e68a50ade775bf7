"""Who is around, as a bot asks for it: on asyncio and trio, in the room in memory."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.testing import run_bot

from dcl_comms_core import Arrival, ChatReceived, Ignore, PeerIgnored, PeerJoined, PeerMoved
from dcl_comms_core.testing.script import Join, Leave, Move, Raw, Restart, Say, ShutDown

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
def test_near_nearest_and_we_ourselves(backend):
    seen = {}

    async def bot(room):
        async for event in room:
            if isinstance(event, PeerMoved) and event.sender.text == "carol" and not seen:
                seen["origin"] = [peer.id.text for peer in room.near(100.0)]
                seen["start"] = room.me.position, room.me.moved_at
                room.move((10.0, 0.0, 0.0), yaw=90.0)
                seen["me"] = room.me.position, room.me.yaw, room.me.id == room.identity
                seen["near"] = [peer.id.text for peer in room.near(3.0)]
                seen["nearest"] = room.nearest().id.text
                seen["of alice"] = [peer.id.text for peer in room.near(100.0, around="alice")]
                seen["of bob"] = room.nearest(around=room.peers["BOB"]).id.text
                seen["of dora"] = room.near(100.0, around="dora"), room.nearest(around="dora")
                seen["of a place"] = [peer.id.text for peer in room.near(1.0, around=(30.0, 0.0, 0.0))]
                with pytest.raises(KeyError):
                    room.near(1.0, around="nobody")
                seen["position"] = room.peers["alice"].position

    script = [
        *(Join(0.0, who) for who in ("alice", "bob", "carol", "dora")),
        Move(1.0, "alice", (1.0, 0.0, 0.0)),
        Move(2.0, "bob", (12.0, 0.0, 0.0)),
        Move(3.0, "carol", (30.0, 0.0, 0.0)),
    ]
    run_bot(bot, script=script, backend=backend)
    assert seen == {
        "origin": ["alice", "bob", "carol"],
        "start": ((0.0, 0.0, 0.0), None),
        "me": ((10.0, 0.0, 0.0), 90.0, True),
        "near": ["bob"],
        "nearest": "bob",
        "of alice": ["bob", "carol"],
        "of bob": "alice",
        "of dora": ([], None),
        "of a place": ["carol"],
        "position": (1.0, 0.0, 0.0),
    }


@BACKENDS
def test_whom_a_bot_ignores_it_does_not_hear(backend):
    heard, seen = [], {}

    async def bot(room):
        async for event in room:
            if isinstance(event, ChatReceived):
                heard.append((event.sender.text, event.text))
                if event.text == "spam":
                    room.ignore("ALICE", seconds=10.0)
                    seen["ignored"] = [who.text for who in room.ignored]
                    seen["near"] = [peer.id.text for peer in room.near(100.0)], room.nearest().id.text
                if event.text == "enough":
                    seen["traffic"] = room.traffic("alice").ignored, room.stats.lost["dropped.ignored"]
                    seen["unignored"] = room.unignore("bob"), room.unignore("bob")
                    room.ignore("alice")

    script = [
        *(Join(0.0, who) for who in ("alice", "bob")),
        Move(0.5, "alice", (1.0, 0.0, 0.0)),
        Move(0.5, "bob", (2.0, 0.0, 0.0)),
        Say(5.0, "alice", "spam"),
        Say(6.0, "alice", "more spam"),
        Say(7.0, "bob", "hi"),
        Say(16.0, "alice", "sorry"),
        Say(17.0, "bob", "enough"),
        Say(18.0, "alice", "what"),
    ]
    run_bot(bot, script=script, backend=backend)
    assert heard == [("alice", "spam"), ("bob", "hi"), ("alice", "sorry"), ("bob", "enough")]
    assert seen["ignored"] == ["ALICE"]
    assert seen["near"] == (["bob"], "bob")
    assert seen["unignored"] == (False, False)
    ignored, dropped = seen["traffic"]
    assert ignored == dropped > 1


@BACKENDS
def test_a_flood_is_ignored_by_a_setting(backend):
    told = {}

    async def bot(room):
        async for event in room:
            if isinstance(event, PeerIgnored):
                told[event.sender.text] = event.abuse > 50.0

    flood = [Raw(1.0 + number / 100, "alice", b"\xff") for number in range(40)]
    settings = {"ignore": Ignore(abuse_over=50)}
    run_bot(bot, script=[Join(0.0, "alice"), *flood], backend=backend, settings=settings)
    assert told == {"alice": True}


@BACKENDS
def test_a_greeter_greets_nobody_twice(backend):
    """Over a server that restarts, and over who leaves for a moment."""

    async def bot(room):
        async for event in room:
            if isinstance(event, PeerJoined) and event.arrival is Arrival.NEW:
                room.chat(f"welcome {event.sender}")

    script = [
        Join(5.0, "alice"),
        Leave(10.0, "alice"),
        Join(15.0, "alice"),
        Say(20.0, "alice", "hi"),
        ShutDown(30.0),
        Restart(40.0),
        Join(50.0, "alice"),
        Join(51.0, "bob"),
        Say(55.0, "bob", "hi"),
    ]
    transcript = run_bot(bot, script=script, backend=backend)
    assert [text for _, text in transcript.chats] == ["welcome alice", "welcome bob"]
