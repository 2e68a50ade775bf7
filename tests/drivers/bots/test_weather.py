"""Verbs in bad weather, on every loop: with a realm that goes down and comes up, in ws-rooms, and once all is over."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
import trio
from dcl_comms_drivers import polled
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.testing import Ending, run_bot
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import LOOPS, Kit

from dcl_comms_core import (
    Backoff,
    Can,
    Cannot,
    ChatReceived,
    CloseReason,
    ConnectionLost,
    Limits,
    NotInARoom,
    NoWhispers,
    PeerId,
    PeerJoined,
    PeerMoved,
    Reconnecting,
    Retry,
    RoomOpened,
    RoomState,
    WarningCode,
)
from dcl_comms_core import Warning as WarningEvent
from dcl_comms_core.testing.script import Delete, Join, Remove, Say

numbers = count()
OFTEN = Backoff(initial=0.1, maximum=0.5, attempts=1_000)


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


async def until(clients, done):
    """Read of all of them by turns: those on polled have theirs only when they are read."""
    while not done():
        for client in clients:
            await client.read_for(0.05)


def verbs(room):
    """What a bot does all the time."""
    room.move((8.0, 0.0, 8.0), velocity=(0.0, 0.0, 1.0))
    room.chat("hello")
    room.emote("wave")
    room.react(1)
    room.announce_profile(1)


def test_a_bot_goes_on_while_the_realm_is_down_and_what_it_said_goes_out_when_it_is_up(kit):
    async def scenario(kit):
        async with kit.connect(realm.url, reconnect=OFTEN, wallet=DisposableWallet()) as me:
            if not me.all(RoomOpened):
                await me.expect(RoomOpened)
            assert me.can(Can.CHAT | Can.MOVE)
            await kit.in_thread(realm.down)
            me.chat("at once")
            while not (me.all(Reconnecting) and me.state is RoomState.WAITING):
                verbs(me)
                await me.next()
            answer = me.can(Can.CHAT | Can.WHISPER)
            assert (answer.missing, answer.reason) == (Can.CHAT | Can.WHISPER, Cannot.NO_ROOM)
            verbs(me)
            me.move((19.0, 0.0, 8.0))
            waiting, sent = me.stats.waiting, me.stats.sent
            assert waiting >= 3
            await kit.in_thread(realm.up)
            await me.expect(RoomOpened)
            await me.flush()
            assert me.stats.sent >= sent + waiting
            assert me.stats.waiting == 0
            assert not {"closing", "expired", "send_failed"} & me.stats.lost.keys()
            assert not [event for event in me.all(WarningEvent) if event.code is WarningCode.SENDS_DROPPED]
            async with kit.connect(realm.url, wallet=DisposableWallet()) as friend:
                await until((me, friend), lambda: friend.all(PeerMoved))
                assert friend.all(PeerMoved)[0].position.x == pytest.approx(19.0, abs=0.05)

    with realm_in_thread(livekit=False) as realm:
        kit.run(scenario)


def test_who_does_not_want_to_wait_is_told_so_and_what_waits_for_too_long_is_told_once(kit):
    async def scenario(kit):
        hasty = {"away": "raise", "reconnect": OFTEN, "wallet": DisposableWallet()}
        short = {"limits": Limits(waiting_seconds=0.5), "reconnect": OFTEN, "wallet": DisposableWallet()}
        async with kit.connect(realm.url, **hasty) as one, kit.connect(realm.url, **short) as two:
            await kit.in_thread(realm.down)
            await until((one, two), lambda: one.state is two.state is RoomState.WAITING)
            for verb in (lambda: one.chat("x"), lambda: one.emote("wave"), lambda: one.subscribe("TR_1")):
                with pytest.raises(NotInARoom):
                    verb()
            with pytest.raises(NotInARoom):
                one.publish_audio()
            one.move((1.0, 0.0, 1.0))
            if kit.loop != "polled":
                with pytest.raises(NotInARoom):
                    await one.connection.send(b"x")
            two.chat("never")
            two.chat("neither")
            await until((one, two), lambda: two.stats.lost.get("expired") == 2)
            await two.read_for(0.5)
            told = [event.count for event in two.all(WarningEvent) if event.code is WarningCode.SENDS_EXPIRED]
            # One warning, of those whose time was up at that turn: a busy loop may take the two in two turns.
            assert (told, two.stats.lost["expired"]) in (([1], 2), ([2], 2))

    # Pulse would carry emotes on for a while.
    with realm_in_thread(livekit=False, islands="heartbeats") as realm:
        kit.run(scenario)


def test_before_the_first_room_what_is_said_waits_for_it():
    """Where nobody waits for a room to be there: polled."""
    with (
        realm_in_thread(livekit=False, islands="heartbeats") as realm,
        polled.open(realm.url, wallet=DisposableWallet()) as room,
    ):
        room.move((3.0, 0.0, 3.0))
        room.chat("soon")
        assert room.stats.waiting == 1
        events = []
        while not any(isinstance(event, RoomOpened) for event in events):
            room.wait(1.0)
            events += room.poll()
        assert room.stats.waiting == 0


# --- a whisper where everybody gets everything


def test_a_whisper_in_a_ws_room_says_what_to_do_or_goes_to_everybody(kit):
    async def scenario(kit):
        async with kit.connect(realm.url, wallet=DisposableWallet()) as me:  # noqa: SIM117 - the one first
            async with kit.connect(realm.url, wallet=DisposableWallet()) as friend:
                joined = await me.expect(PeerJoined)
                answer = me.can(Can.WHISPER)
                assert (bool(answer), answer.reason) == (False, Cannot.TRANSPORT)
                assert me.can(Can.SPEAK).reason is me.can(Can.SHOW).reason is Cannot.TRANSPORT
                with pytest.raises(NoWhispers, match=r"can\(Can.WHISPER\).*else_everybody=True"):
                    me.chat("psst", to=joined.sender)
                me.chat("to all then", to=joined.sender, else_everybody=True)
                heard = await friend.expect(ChatReceived)
                assert (heard.text, heard.private) == ("to all then", False)

    with realm_in_thread(livekit=False) as realm:
        kit.run(scenario)


def test_a_simulated_room_carries_no_sound_and_once_it_is_over_nothing_can_be_done(kit):
    async def scenario(kit):
        async with kit.connect(f"simulator:able{next(numbers)}") as me:
            assert me.can(Can.CHAT | Can.WHISPER | Can.MOVE)
            answer = me.can(Can.SPEAK | Can.SHOW)
            assert (answer.missing, answer.reason) == (Can.SPEAK | Can.SHOW, Cannot.TRANSPORT)
        assert me.can(Can.CHAT).reason is Cannot.OVER

    kit.run(scenario)


# --- users.md, D2


async def answers_slowly(room, pause):
    """What a bot does that asks a database between reading and answering."""
    async for event in room:
        match event:
            case ChatReceived(sender=PeerId() as who, text=text):
                await pause(1)
                room.chat(f"you said {text}", to=who, else_everybody=True)
            case _:
                pass


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("end", "reason"), [(Remove(5.5, "bot"), CloseReason.REMOVED), (Delete(5.5), CloseReason.ROOM_DELETED)]
)
def test_the_natural_except_holds_in_a_room(backend, end, reason):
    caught = []

    async def supervised(room):
        try:
            await answers_slowly(room, {"asyncio": asyncio.sleep, "trio": trio.sleep}[backend])
        except ConnectionLost as lost:
            caught.append(lost.reason)

    script = [Join(0.0, "alice"), Say(5.0, "alice", "hi"), end]
    transcript = run_bot(supervised, script=script, backend=backend)
    assert (caught, transcript.ending) == ([reason], Ending.RETURNED)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_natural_except_holds_in_a_realm(loop):
    """Banned while it thinks about its answer."""
    kit, wallet = Kit(loop), DisposableWallet()

    async def scenario(kit):
        async def pause(_seconds):
            await kit.in_thread(lambda: realm.ban(wallet.address))
            await kit.until(lambda: me.connection.driver.ended)

        async with kit.connect(realm.url, wallet=wallet) as me:  # noqa: SIM117 - the one first
            async with kit.connect(realm.url, wallet=DisposableWallet()) as friend:
                await friend.expect(PeerJoined)
                friend.chat("hi")
                with pytest.raises(ConnectionLost) as caught:
                    await answers_slowly(me.connection, pause)
        end = me.connection.driver.inbox.end
        assert (caught.value.reason, caught.value.retry) == (end.reason, Retry.NEVER)

    with realm_in_thread(livekit=False) as realm:
        kit.run(scenario)
