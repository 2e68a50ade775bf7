"""run_bot: no real time passes, and the same seed gives the same transcript on both loops."""

from __future__ import annotations

import asyncio
import time

import pytest
import trio
from dcl_comms_drivers.testing import Ending, run_bot
from hypothesis import HealthCheck, Phase, given, settings

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    ConnectionLost,
    LimitReached,
    LocalProtocolError,
    Movement,
    Packet,
    PeerId,
    PeerMoved,
    Retry,
    decode,
    encode,
)
from dcl_comms_core.testing import Faults
from dcl_comms_core.testing.script import (
    Cut,
    Delete,
    Heal,
    Join,
    Leave,
    Move,
    Raw,
    Remove,
    Restart,
    Say,
    SetFaults,
    ShutDown,
)
from dcl_comms_core.testing.strategies import scripts

on_both = pytest.mark.parametrize("backend", ["asyncio", "trio"])
SLEEP = {"asyncio": asyncio.sleep, "trio": trio.sleep}


async def echo(room):
    async for event in room:
        if isinstance(event, ChatReceived):
            room.chat(f"you said {event.text}")


GREETING = [Join(0.0, "alice"), Say(5.0, "alice", "hello"), Say(5.0, "nobody", "hello"), Leave(50.0, "alice")]


@on_both
def test_a_bot_and_its_transcript(backend):
    began = time.monotonic()
    result = run_bot(echo, seed=1, script=GREETING, backend=backend)
    assert time.monotonic() - began < 50.0  # as it would be in a real room
    assert result.chats == [(pytest.approx(5.02), "you said hello")]
    assert [event.text for event in result.heard["alice"] if isinstance(event, ChatReceived)] == ["you said hello"]
    assert [entry.value.who for entry in result.entries if entry.kind == "skipped"] == ["nobody"]
    assert result.ending is Ending.IDLE
    assert "hello" in str(result)
    assert len(result.sent) == 1


def busy_script():
    script = [
        Join(0.0, "alice"),
        Join(0.5, "bob"),
        SetFaults(8.0, Faults(loss=0.5, jitter=0.2, reorder=0.3, duplicate=0.4)),
    ]
    for number in range(60):
        who = ("alice", "bob")[number % 2]
        script.append(Move(1.0 + number / 3, who, (float(number), 0.0, 1.0)))
        script.append(Say(1.0 + number / 3, who, f"{who} {number}", ("bot",) if number % 5 == 0 else None))
    return [*script, Raw(9.0, "bob", b"\xff"), Cut(12.0, "bot"), Heal(14.0, "bot"), Cut(15.0, "bob"), Heal(16.0, "bob"),
            ShutDown(18.0), Restart(19.0), Delete(40.0)]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_the_same_on_both_loops_and_again(seed):
    async def bot(room, sleep):
        async for event in room:
            if isinstance(event, PeerMoved):
                room.move(event.position)
            elif isinstance(event, ChatReceived):
                await sleep(0.25)
                room.chat(event.text, to=event.sender or ())

    faults = Faults(latency=0.05, jitter=0.1, loss=0.2, reorder=0.2, duplicate=0.2, notice=0.3, give_up=5.0)
    texts = []
    for backend in ("asyncio", "trio", "asyncio"):

        async def run(room, backend=backend):
            try:
                await bot(room, SLEEP[backend])
            except ConnectionLost:
                return  # the room went while it slept

        result = run_bot(run, seed=seed, script=busy_script(), backend=backend, faults=faults)
        texts.append(str(result))
        assert len(result.entries) > 100
    assert texts[0] == texts[1] == texts[2]


def test_another_seed_is_another_play():
    faults = Faults(loss=0.5)
    one, other = (str(run_bot(echo, seed=seed, script=busy_script(), faults=faults)) for seed in (1, 2))
    assert one != other


@on_both
def test_the_ends(backend):
    sleep = SLEEP[backend]

    async def returns(room):
        await sleep(3.0)
        room.chat("bye")

    result = run_bot(returns, backend=backend)
    assert (result.ending, result.chats) == (Ending.RETURNED, [(pytest.approx(3.02), "bye")])

    result = run_bot(echo, backend=backend, script=[Remove(2.0, "bot")])
    assert (result.ending, result.lost.reason) == (Ending.LOST, CloseReason.REMOVED)

    async def for_ever(room):
        while True:
            await sleep(1.0)

    assert run_bot(for_ever, backend=backend, seconds=10.0).ending is Ending.TIME_OVER

    async def breaks(room):
        await sleep(1.0)
        raise KeyError("bug")

    with pytest.raises(KeyError) as caught:
        run_bot(breaks, backend=backend, seed=7)
    assert caught.value.__notes__ == ["after 1.0200 virtual seconds, seed 7"]

    async def never_waits(room):
        while True:
            await sleep(0)

    with pytest.raises(LocalProtocolError, match="never waits"):
        run_bot(never_waits, backend=backend)


@on_both
def test_a_flood_makes_nobody_else_late(backend):
    """5,000 movements a second of one peer, over the memory link: others are heard at once, timers are on time."""
    flood = [
        Raw(9.0 + n / 5_000, "mallory", encode(Packet(movement=Movement(timestamp=n / 5_000))), reliable=False)
        for n in range(10_000)
    ]
    words = [Say(9.0 + n / 10, "alice", str(n)) for n in range(20)]
    script = [Join(0.0, "alice"), Join(0.0, "mallory"), *words, *flood]
    script.sort(key=lambda action: action.at)
    result = run_bot(echo, script=script, backend=backend, settings={"profile_version": 1}, seconds=12.0)
    assert [text for _, text in result.chats] == [f"you said {n}" for n in range(20)]
    # The network takes 20 ms.
    assert [at for at, _ in result.chats] == [pytest.approx(9.02 + n / 10) for n in range(20)]
    announced = [
        entry.at for entry in result.entries if entry.kind == "sent" and decode(entry.value.data).profile_version
    ]
    assert announced == [0.04, pytest.approx(10.02)]
    # 60 a second, ten seconds of which were saved up.
    told = [event.at for event in result.received if isinstance(event, PeerMoved)]
    assert 700 <= len(told) <= 740
    (reached,) = [event for event in result.received if isinstance(event, LimitReached)]
    assert (reached.limit, reached.sender) == ("movement_rate", PeerId("mallory"))


def test_a_bot_that_does_not_let_itself_be_cancelled():
    async def stubborn(room):
        while True:
            try:
                await asyncio.sleep(1.0)
            except asyncio.CancelledError:
                pass

    with pytest.raises(LocalProtocolError, match="although it was cancelled"):
        run_bot(stubborn, seconds=5.0)


def test_misuse():
    with pytest.raises(LocalProtocolError, match="asyncio and trio"):
        run_bot(echo, backend="curio")
    with pytest.raises(LocalProtocolError, match="finite"):
        run_bot(echo, script=[Join(float("nan"), "alice")])
    with pytest.raises(LocalProtocolError, match="unknown settings"):
        run_bot(echo, settings={"colour": 1})


async def together(backend, *tasks):
    """Run all of them as an application does: in a TaskGroup, or in a nursery."""
    if backend == "trio":
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
    else:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task())


def bot_of_tasks(backend, *more, ticks=None):
    """A bot that reads in one task and counts in another, and in a group within the group."""

    async def bot(room):
        async def read():
            await echo(room)

        async def tick():
            while True:
                await SLEEP[backend](1.0)
                if ticks is not None:
                    ticks.append(room.state)

        async def inner():
            await together(backend, tick, *more)

        await together(backend, read, inner)

    return bot


async def reads_only(backend, room):
    async def read():
        async for _ in room:
            pass

    await together(backend, read)


@on_both
def test_a_bot_with_tasks_ends_like_any_other(backend):
    """trio wraps Cancelled, and both wrap ConnectionLost, on the way out of a group of tasks."""

    async def idle(room):
        await reads_only(backend, room)

    assert run_bot(idle, script=[Join(0.0, "alice")], backend=backend).ending is Ending.IDLE

    ticks = []
    result = run_bot(bot_of_tasks(backend, ticks=ticks), script=GREETING, backend=backend, seconds=60.0)
    assert (result.ending, result.lost) == (Ending.TIME_OVER, None)
    assert [text for _, text in result.chats] == ["you said hello"]
    assert len(ticks) == 59

    for bot in (idle, bot_of_tasks(backend)):
        result = run_bot(bot, script=[Remove(2.0, "bot")], backend=backend)
        assert (result.ending, result.lost.reason) == (Ending.LOST, CloseReason.REMOVED)


@on_both
def test_both_that_wait_for_a_room_that_ends_are_one_end(backend):
    """Two tasks of a group let out the ConnectionLost of the same room."""

    async def bot(room):
        async def send():
            while True:
                await room.send(Packet(movement=Movement(timestamp=1.0)))
                await SLEEP[backend](1.0)

        async def read():
            try:
                await echo(room)
            finally:
                raise ConnectionLost(CloseReason.REMOVED, Retry.NEVER, "as the other says")

        await together(backend, read, send)

    result = run_bot(bot, script=[Remove(2.0, "bot")], backend=backend)
    assert (result.ending, result.lost.reason) == (Ending.LOST, CloseReason.REMOVED)


@on_both
def test_what_else_a_task_raises_comes_out(backend):
    async def breaks():
        await SLEEP[backend](1.0)
        raise KeyError("bug")

    with pytest.raises(ExceptionGroup) as caught:
        run_bot(bot_of_tasks(backend, breaks), backend=backend)
    assert caught.group_contains(KeyError, match="bug")
    assert not caught.group_contains(trio.Cancelled)

    async def breaks_when_cancelled():
        try:
            await SLEEP[backend](1000.0)
        finally:
            raise KeyError("while it was cleaning up")

    # Beside the end of the room, and beside the end of the play.
    for script in ([Remove(2.0, "bot")], []):
        with pytest.raises(ExceptionGroup) as caught:
            run_bot(bot_of_tasks(backend, breaks_when_cancelled), script=script, backend=backend)
        assert caught.group_contains(KeyError, match="cleaning up")


@on_both
def test_the_room_s_end_while_it_is_stopped_is_no_other_end(backend):
    async def bot(room):
        async def lets_out():
            try:
                await SLEEP[backend](1000.0)
            finally:
                raise ConnectionLost(CloseReason.CLIENT, Retry.NEVER, "over")

        await together(backend, lets_out)

    result = run_bot(bot, backend=backend, seconds=5.0)
    assert (result.ending, result.lost) == (Ending.TIME_OVER, None)


QUICK = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@on_both
def test_whatever_happens_a_bot_with_tasks_ends_as_one_without(backend):
    endings = set()

    @QUICK
    @given(scripts(max_size=8))
    def play(script):
        alone = run_bot(echo, script=script, backend=backend)
        result = run_bot(bot_of_tasks(backend), script=script, backend=backend)
        assert result.ending is (Ending.TIME_OVER if alone.ending is Ending.IDLE else alone.ending)
        endings.add(result.ending)

    play()
    assert endings == {Ending.TIME_OVER, Ending.LOST}
