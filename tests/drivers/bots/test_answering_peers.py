"""run_bot's peers that answer, peers that are programs, and clocks that stand still."""

from __future__ import annotations

import asyncio
import time
import warnings
from time import monotonic

import pytest
import trio
from dcl_comms_drivers.testing import ClockWarning, Ending, run_bot

from dcl_comms_core import (
    ChatReceived,
    PeerEmoted,
    PeerId,
    PeerJoined,
    ProfileAnnounced,
    ProfileReceived,
    ReactionReceived,
    TrackKind,
    TrackMuted,
    TrackPublished,
    TrackSource,
    TrackUnpublished,
)
from dcl_comms_core.testing.script import (
    Emote,
    Join,
    Leave,
    Mute,
    Offer,
    On,
    OnChat,
    Publish,
    React,
    Remove,
    Say,
    Unpublish,
)

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
def test_a_conversation_with_a_peer_that_answers(backend):
    heard = []

    async def bot(room):
        async for event in room:
            match event:
                case PeerJoined(sender=who):
                    room.chat("2+2?", to=who)
                case ChatReceived(text=text):
                    heard.append(text)
                    if text == "4":
                        room.chat("right")

    script = [
        OnChat(0.0, "alice", Say(1.0, "alice", "4"), contains="2+2?", private=True),
        OnChat(0.0, "alice", (Say(2.0, "alice", "I know"), Leave(3.0, "alice")), sender="bot", private=False),
        On(
            0.0, "alice", PeerJoined, Say(0.5, "alice", "hello"), lambda event: event.sender == PeerId("carol"), times=1
        ),
        Join(1.0, "alice"),
        Join(20.0, "carol"),
        Leave(21.0, "carol"),
        Join(30.0, "carol"),
    ]
    transcript = run_bot(bot, script=script, backend=backend)
    assert heard == ["4", "I know"]
    assert [text for _, text in transcript.chats] == ["2+2?", "right", "2+2?", "2+2?"]
    assert [text for _, text in transcript.chats_to("Alice")] == ["2+2?", "right"]
    assert [text for _, text in transcript.chats_to("carol")] == ["right", "2+2?", "2+2?"]


def test_the_times_of_answers_are_kept():
    async def bot(room):
        await asyncio.sleep(10.0)
        for _ in range(3):
            room.chat("ping")
            await asyncio.sleep(10.0)

    script = [Join(0.0, "a"), OnChat(0.0, "a", Say(1.0, "a", "pong"), contains="ping", times=2)]
    transcript = run_bot(bot, script=script)
    said = [entry.at for entry in transcript.entries if entry.kind == "script" and isinstance(entry.value, Say)]
    assert [round(at, 1) for at in said] == [11.0, 21.0]


@BACKENDS
def test_emotes_reactions_profiles_and_tracks(backend):
    seen = []

    async def bot(room):
        async for event in room:
            seen.append(event)
            if isinstance(event, ProfileAnnounced) and event.version == 7:
                room.request_profile(event.sender, 7)

    script = [
        Mute(0.0, "alice"),  # not here
        Join(0.0, "alice"),
        Emote(5.0, "alice", "wave"),
        Emote(6.0, "alice", "wave", stop=True),
        React(7.0, "alice", 1),
        Offer(8.0, "alice", 5),
        Offer(9.0, "alice", 7, '{"name": "Alice"}'),
        Mute(10.0, "alice"),  # nothing there
        Publish(11.0, "alice", muted=True),
        Mute(12.0, "alice", muted=False),
        Publish(13.0, "alice"),
        Publish(14.0, "alice", "camera", TrackKind.VIDEO, TrackSource.CAMERA),
        Unpublish(15.0, "alice"),
        Unpublish(16.0, "alice"),  # gone
        Join(20.0, "bob"),
        Leave(25.0, "alice"),
    ]
    transcript = run_bot(bot, script=script, backend=backend)
    assert [entry.value.at for entry in transcript.entries if entry.kind == "skipped"] == [0.0, 10.0, 16.0]
    alice = PeerId("alice")
    assert [(e.urn.rpartition(":")[2], e.stopping) for e in seen if isinstance(e, PeerEmoted)] == [
        ("wave", False),
        ("wave", True),
    ]
    assert len([e for e in seen if isinstance(e, ReactionReceived)]) == 1
    assert {5, 7} <= {e.version for e in seen if isinstance(e, ProfileAnnounced) and e.sender == alice}
    assert {e.serialized for e in seen if isinstance(e, ProfileReceived)} == {'{"name": "Alice"}'}
    tracks = [
        (type(e), e.track.name, e.track.muted, e.sender)
        for e in seen
        if isinstance(e, TrackPublished | TrackUnpublished | TrackMuted) and e.sender == alice
    ]
    assert tracks == [
        (TrackPublished, "mic", True, alice),
        (TrackMuted, "mic", False, alice),
        (TrackUnpublished, "mic", False, alice),
        (TrackPublished, "mic", False, alice),
        (TrackPublished, "camera", False, alice),
        (TrackUnpublished, "mic", False, alice),
        (TrackUnpublished, "camera", False, alice),
    ]
    assert len({e.track.sid for e in seen if isinstance(e, TrackPublished)}) == 3
    assert [(e.track.name, e.sender) for e in transcript.heard["bob"] if isinstance(e, TrackPublished)] == [
        ("camera", alice)
    ]


async def sleep(backend, seconds):
    await (asyncio.sleep(seconds) if backend == "asyncio" else trio.sleep(seconds))


@BACKENDS
def test_peers_that_are_programs_are_on_the_same_clock(backend):
    async def bot(room):
        async for event in room:
            if isinstance(event, ChatReceived):
                room.chat(f"{event.text}!", to=event.sender)

    answers = []

    async def bob(room):
        await sleep(backend, 10.0)
        room.chat("hi")
        async for event in room:
            if isinstance(event, ChatReceived):
                answers.append((event.sender, event.text, event.private))
                return

    async def carol(room):
        async for _ in room:
            pass

    first, again = (
        run_bot(bot, peers={"bob": bob, "carol": carol}, script=[Join(0.0, "dave")], backend=backend, seed=3)
        for _ in range(2)
    )
    assert answers == [(PeerId("bot"), "hi!", True)] * 2
    assert first.ending is Ending.IDLE
    assert str(first) == str(again)
    ((at, _),) = first.chats
    assert 10.0 <= at < 11.0
    assert any(isinstance(event, ChatReceived) for event in first.heard["carol"])
    assert {"bob", "carol", "dave"} == first.heard.keys()


@BACKENDS
def test_what_a_peer_raises_comes_out(backend):
    async def bot(room):
        async for _ in room:
            pass

    async def bob(room):
        await sleep(backend, 5.0)
        raise ZeroDivisionError(room.identity.text)

    with pytest.raises(ZeroDivisionError, match="bob") as raised:
        run_bot(bot, peers={"bob": bob}, backend=backend)
    assert raised.value.__notes__[0] == "of the peer 'bob'"


@BACKENDS
def test_a_room_that_ends_is_no_fault_of_a_peers(backend):
    async def bot(room):
        await sleep(backend, 20.0)

    async def bob(room):
        async for _ in room:
            pass

    transcript = run_bot(bot, peers={"bob": bob}, script=[Remove(5.0, "bob")], backend=backend)
    assert transcript.ending is Ending.RETURNED


def bot_that_waits(backend):
    async def bot(room):
        await sleep(backend, 10.0)

    return bot


@BACKENDS
def test_whoever_asks_the_machine_for_the_time_is_told_where(backend):
    async def bot(room):
        for _ in range(3):
            time.monotonic()
            await sleep(backend, 1.0)
        assert time.time() > 0

    with pytest.warns(ClockWarning, match=r"time\.") as warned:
        run_bot(bot, backend=backend)
    assert [str(one.message).partition("(")[0] for one in warned] == ["time.monotonic", "time.time"]
    assert all(one.filename == __file__ for one in warned)

    # By a name that was imported by itself.
    async def asks(room):
        monotonic()

    for who in ({"bot": asks}, {"bot": bot_that_waits(backend), "peers": {"bob": asks}}):
        with pytest.warns(ClockWarning, match=r"time\.monotonic\(") as warned:
            run_bot(**who, backend=backend)
        assert [one.filename for one in warned] == [__file__]
    assert monotonic is time.monotonic

    async def patient(room):
        await sleep(backend, 100.0)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_bot(patient, backend=backend, seconds=200.0)
        time.monotonic()
