"""run_bot in a whole world: realm, Pulse, islands, LiveKit rooms, on both loops the same."""

from __future__ import annotations

import importlib

import pytest
from dcl_comms_drivers.testing import Ending, run_bot
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import ChatReceived, CloseReason, IslandChanged, LocalProtocolError, PeerJoined, Reconnected
from dcl_comms_core.testing import Faults, wallet_of
from dcl_comms_core.testing.script import Ban, Cut, Heal, Join, Kill, Leave, Move, OnChat, Publish, Revive, Say

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
FAULTS = Faults(latency=0.05, jitter=0.02, loss=0.1)


async def echo(room):
    async for event in room:
        if isinstance(event, ChatReceived) and event.text.startswith("!"):
            room.chat(event.text[1:])


def said(transcript):
    return [text for _, text in transcript.chats]


@BACKENDS
def test_a_bot_comes_through_what_happens_to_servers_and_its_cable(backend):
    script = [
        Join(0.0, "alice"),
        Say(6.0, "alice", "!one"),
        Kill(8.0, "rooms"),
        Revive(9.0, "rooms"),
        Say(25.0, "alice", "!two"),
        Cut(27.0, "bot"),
        Heal(33.0, "bot"),
        Say(50.0, "alice", "!three", to=("bot",)),
    ]
    transcript = run_bot(echo, seed=1, script=script, backend=backend, world=True, faults=FAULTS)
    assert said(transcript) == ["one", "two", "three"]
    assert transcript.ending is Ending.TIME_OVER
    assert {event.room for event in transcript.received if isinstance(event, Reconnected)} >= {"island", "pulse"}
    joined = [event.sender.text for event in transcript.received if isinstance(event, PeerJoined)]
    assert set(joined) == {wallet_of("alice")}


def test_the_same_seed_is_the_same_transcript_on_every_loop():
    script = [
        Join(0.0, "alice"),
        OnChat(0.0, "alice", Say(0.5, "alice", "!more"), times=3),
        Say(5.0, "alice", "!hello"),
    ]

    def transcript(seed, backend):
        return str(run_bot(echo, seed=seed, script=script, backend=backend, world=True, faults=FAULTS, seconds=15.0))

    first = transcript(1, "asyncio")
    assert first == transcript(1, "asyncio") == transcript(1, "trio")
    assert first != transcript(2, "asyncio")
    assert first.count("ChatReceived") == 4


@BACKENDS
def test_peers_are_programs_too_and_walk_to_other_islands(backend):
    async def walks(room):
        assert (await room.wait_for(ChatReceived, timeout=20)).text == "everybody is here"
        room.chat("!hello")
        answer = await room.wait_for(ChatReceived, timeout=20)
        assert answer.text == "hello"
        room.move((1_000.0, 0.0, 1_000.0))
        moved = await room.wait_for(IslandChanged, timeout=20)
        assert moved.previous is not None
        assert moved.island != moved.previous

    script = [
        Join(0.0, "carol"),
        Move(5.0, "carol", (3.0, 0.0, 3.0)),
        Say(6.0, "carol", "everybody is here"),
        Leave(40.0, "carol"),
    ]
    transcript = run_bot(echo, peers={"bob": walks}, script=script, backend=backend, world=True)
    assert said(transcript) == ["hello"]
    assert transcript.heard["bob"]
    assert transcript.heard["carol"]


def test_the_end_of_the_world_is_an_ending():
    transcript = run_bot(echo, script=[Ban(6.0, "bot")], world=True)
    assert transcript.ending is Ending.LOST
    assert transcript.lost is not None
    assert transcript.lost.reason in {CloseReason.REMOVED, CloseReason.DUPLICATE_IDENTITY}


def test_the_real_engine_carries_it(rtc):
    peer = importlib.import_module("dcl_comms_rtc").Peer
    script = [Join(0.0, "alice"), Say(8.0, "alice", "!hello")]
    transcript = run_bot(echo, script=script, world=True, new_peer=peer, seconds=12.0)
    assert said(transcript) == ["hello"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"world": True, "settings": {"wallet": DisposableWallet()}}, "leave out wallet="),
        ({"new_peer": lambda now: None}, "world=True"),
        ({"world": True, "script": [Publish(1.0, "alice")]}, "a deployment has no Publish"),
        ({"script": [Kill(1.0, "rooms")]}, "world=True"),
    ],
)
def test_what_does_not_fit_is_told(options, words):
    with pytest.raises(LocalProtocolError, match=words):
        run_bot(echo, **options)
