"""wait_for and listen beside the loop over events, on asyncio and trio."""

from __future__ import annotations

import asyncio
import gc
import inspect

import pytest
import trio
from dcl_comms_drivers.settings import OnFull
from dcl_comms_drivers.testing import run_bot
from dcl_comms_drivers.testing.play import Ending

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    ConnectionLost,
    Event,
    LimitReached,
    Limits,
    ListenerOverflow,
    LocalProtocolError,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
)
from dcl_comms_core.testing.script import Delete, Join, Leave, Move, Say

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
ALICE, BOB = PeerId("alice"), PeerId("bob")


def sleeping(backend):
    return asyncio.sleep if backend == "asyncio" else trio.sleep


def both(backend, *functions):
    """Run all of them at once, to their ends."""

    async def on_asyncio():
        async with asyncio.TaskGroup() as group:
            for function in functions:
                group.create_task(function())

    async def on_trio():
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)

    return on_asyncio() if backend == "asyncio" else on_trio()


@BACKENDS
def test_an_answer_is_waited_for_in_the_middle_of_the_loop(backend):
    seen = []

    async def bot(room):
        async for event in room:
            seen.append(event)
            if isinstance(event, ChatReceived) and event.text == "hello":
                room.chat("how are you?", to=event.sender)
                answer = await room.wait_for(ChatReceived, sender=event.sender, timeout=30)
                room.chat(f"you are {answer.text}")

    script = [
        Join(0.0, "alice"),
        Join(0.0, "bob"),
        Say(1.0, "alice", "hello"),
        Say(2.0, "bob", "bad"),
        Say(3.0, "alice", "fine"),
    ]
    transcript = run_bot(bot, script=script, backend=backend)
    assert [text for _, text in transcript.chats] == ["how are you?", "you are fine"]
    # The main loop has all of it too.
    assert [event.text for event in seen if isinstance(event, ChatReceived)] == ["hello", "bad", "fine"]


@BACKENDS
def test_nothing_is_lost_between_asking_and_waiting(backend):
    async def bot(room):
        answer = room.wait_for(ChatReceived)
        chats = room.listen(ChatReceived)
        await sleeping(backend)(10.0)
        assert (await answer).text == "a"
        assert [(await anext(chats)).text for _ in range(2)] == ["a", "b"]

    transcript = run_bot(
        bot, script=[Join(0.0, "alice"), Say(1.0, "alice", "a"), Say(2.0, "alice", "b")], backend=backend
    )
    assert transcript.ending is Ending.RETURNED


@BACKENDS
def test_what_does_not_come_is_a_timeout_at_its_time(backend):
    times = []

    async def bot(room):
        start = room.driver.host.now()
        for timeout in (0.0, 5.0):
            with pytest.raises(TimeoutError, match="in time"):
                await room.wait_for(ChatReceived, lambda chat: chat.text == "never", timeout=timeout)
            times.append(room.driver.host.now() - start)

    run_bot(bot, script=[Join(0.0, "alice"), Say(1.0, "alice", "a")], backend=backend)
    assert times == [pytest.approx(0.0, abs=0.1), pytest.approx(5.0, abs=0.1)]


@BACKENDS
def test_several_listen_at_once_beside_the_main_loop(backend):
    heard = {"main": [], "alice": [], "all": []}

    async def bot(room):
        async def main():
            async for event in room:
                if isinstance(event, ChatReceived):
                    heard["main"].append(event.text)

        async def listen(name, sender=None):
            async with room.listen(ChatReceived, sender=sender) as chats:
                async for chat in chats:
                    heard[name].append(chat.text)

        await both(backend, main, lambda: listen("alice", ALICE), lambda: listen("all"))

    script = [Join(0.0, "alice"), Join(0.0, "bob"), Say(1.0, "alice", "a"), Say(2.0, "bob", "b"), Delete(3.0)]
    transcript = run_bot(bot, script=script, backend=backend)
    assert heard == {"main": ["a", "b"], "alice": ["a"], "all": ["a", "b"]}
    assert transcript.ending is Ending.LOST


@BACKENDS
def test_the_end_of_the_room_ends_all_readers(backend):
    ends = []

    async def bot(room):
        async def wait():
            with pytest.raises(ConnectionLost) as caught:
                await room.wait_for(PeerLeft)
            ends.append(caught.value.reason)

        async def listen():
            async with room.listen(ChatReceived) as chats:
                with pytest.raises(ConnectionLost) as caught:
                    async for _ in chats:
                        pass
                ends.append(caught.value.reason)

        await both(backend, wait, listen)
        with pytest.raises(ConnectionLost):
            room.listen(ChatReceived)
        with pytest.raises(ConnectionLost):
            await room.wait_for(ChatReceived)

    run_bot(bot, script=[Delete(1.0)], backend=backend)
    assert len(ends) == 2
    assert CloseReason.CLIENT not in ends


@BACKENDS
def test_leaving_the_room_ends_listeners_in_peace_and_waits_with_an_error(backend):
    ends = []

    async def bot(room):
        async def wait():
            with pytest.raises(ConnectionLost) as caught:
                await room.wait_for(PeerLeft)
            ends.append(caught.value.reason)

        async def listen():
            async with room.listen(Event) as events:
                ends.extend([event async for event in events if isinstance(event, ChatReceived)])
            ends.append("listener")

        async def leave():
            await sleeping(backend)(1.0)
            await room.aclose()

        await both(backend, wait, listen, leave)

    run_bot(bot, backend=backend)
    assert sorted(map(str, ends)) == ["CloseReason.CLIENT", "listener"]


@BACKENDS
def test_cancelling_a_wait_loses_nothing(backend):
    heard = []

    async def bot(room):
        async with room.listen(ChatReceived) as chats:
            while len(heard) < 5:
                if backend == "asyncio":
                    try:
                        async with asyncio.timeout(0.3):
                            heard.append((await anext(chats)).text)
                    except TimeoutError:
                        pass
                else:
                    with trio.move_on_after(0.3):
                        heard.append((await anext(chats)).text)
        assert [event.text async for event in room if isinstance(event, ChatReceived)] == heard

    script = [Join(0.0, "alice"), *(Say(1.0 + 0.31 * number, "alice", str(number)) for number in range(5)), Delete(9.0)]
    run_bot(bot, script=script, backend=backend)
    assert heard == ["0", "1", "2", "3", "4"]


@BACKENDS
def test_a_program_that_only_listens_is_neither_ended_nor_warned(backend):
    limits = Limits(event_queue=4)
    heard = []

    async def bot(room):
        async with room.listen(ChatReceived) as chats:
            async for chat in chats:
                heard.append(chat.text)
                if chat.text == "19":
                    break
        assert room.stats.dropped_events == 0
        assert room.stats.lost["never_read"] > 10
        # Whoever begins to read after all is told where something is missing.
        assert isinstance(await anext(room), LimitReached)

    script = [Join(0.0, "alice"), *(Say(1.0 + number, "alice", str(number)) for number in range(20))]
    transcript = run_bot(bot, script=script, backend=backend, settings={"limits": limits, "on_full": "close"})
    assert heard == [str(number) for number in range(20)]
    assert transcript.ending is Ending.RETURNED


@BACKENDS
@pytest.mark.parametrize("begin", ["for", "next", "batches"])
def test_one_that_began_its_main_loop_has_to_go_on_with_it(backend, begin):
    async def bot(room):
        if begin == "for":
            async for _ in room:
                break
        elif begin == "next":
            while not isinstance(await anext(room), ChatReceived):
                pass
        else:
            await anext(room.batches())
        await room.wait_for(PeerLeft)

    script = [
        Join(0.0, "alice"),
        *(Say(1.0 + number, "alice", str(number)) for number in range(20)),
        Leave(30.0, "alice"),
    ]
    settings = {"limits": Limits(event_queue=4), "on_full": OnFull.CLOSE}
    transcript = run_bot(bot, script=script, backend=backend, settings=settings)
    assert transcript.lost is not None
    assert transcript.lost.reason is CloseReason.OVERFLOW


@BACKENDS
def test_a_listener_that_is_not_read_ends_alone(backend):
    async def bot(room):
        closing = room.listen(ChatReceived, on_full="close")
        dropping = room.listen((ChatReceived, LimitReached))
        async for event in room:
            if isinstance(event, PeerLeft):
                break
        texts = []
        with pytest.raises(ListenerOverflow):
            async for chat in closing:
                texts += [chat.text]
        assert texts == ["0", "1", "2", "3", "4"]
        assert (len(dropping), dropping.dropped, bool(dropping)) == (4, 7, True)
        first, *rest = await anext(dropping.batches())
        assert isinstance(first, LimitReached)
        assert [chat.text for chat in rest] == ["7", "8", "9"]
        room.chat("still here")

    script = [
        Join(0.0, "alice"),
        *(Say(1.0 + number, "alice", str(number)) for number in range(10)),
        Leave(20.0, "alice"),
    ]
    transcript = run_bot(bot, script=script, backend=backend, settings={"limits": Limits(event_queue=4)})
    assert [text for _, text in transcript.chats] == ["still here"]


@BACKENDS
def test_what_where_raises_comes_out_where_it_was_asked(backend):
    async def bot(room):
        chats = room.listen(ChatReceived, lambda chat: chat.nothing)
        with pytest.raises(AttributeError):
            await room.wait_for(ChatReceived, lambda chat: chat.nothing)
        with pytest.raises(AttributeError):
            async for _ in chats:
                pass
        with pytest.raises(AttributeError):
            await anext(chats.batches())
        await room.wait_for(ChatReceived)

    script = [Join(0.0, "alice"), Say(1.0, "alice", "a"), Say(2.0, "alice", "b")]
    assert run_bot(bot, script=script, backend=backend).ending is Ending.RETURNED


@BACKENDS
def test_two_tasks_do_not_read_one_listener(backend):
    async def bot(room):
        chats = room.listen(ChatReceived)

        async def first():
            assert (await anext(chats)).text == "a"

        async def second():
            await sleeping(backend)(0.5)
            with pytest.raises(LocalProtocolError, match="another task"):
                await anext(chats)
            with pytest.raises(LocalProtocolError, match="another task"):
                await anext(chats.batches())

        await both(backend, first, second)

    assert run_bot(bot, script=[Join(0.0, "a"), Say(1.0, "a", "a")], backend=backend).ending is Ending.RETURNED


@BACKENDS
def test_a_listener_that_was_left_is_over(backend):
    async def bot(room):
        async with room.listen(ChatReceived) as chats:
            await sleeping(backend)(2.0)
            assert len(chats) == 1
        assert len(chats) == 0
        assert [chat async for chat in chats] == []
        assert [batch async for batch in chats.batches()] == []
        chats.close()

        other = room.listen(ChatReceived)

        async def read():
            assert [chat.text async for chat in other] == ["b"]

        async def close():
            await sleeping(backend)(3.0)
            other.close()

        await both(backend, read, close)

    script = [Join(0.0, "a"), Say(1.0, "a", "a"), Say(3.0, "a", "b")]
    assert run_bot(bot, script=script, backend=backend).ending is Ending.RETURNED


@BACKENDS
def test_waits_and_listeners_that_nobody_holds_make_room_for_others(backend):
    async def bot(room):
        for _ in range(5):
            room.listen(ChatReceived)
            waiting = room.wait_for(PeerJoined)
            waiting.close()
            del waiting
            gc.collect()
        assert await room.wait_for((ChatReceived, PeerLeft, PeerMoved)) is not None

    settings = {"limits": Limits(readers=2)}
    script = [Join(0.0, "a"), Move(1.0, "a", (1.0, 0.0, 2.0))]
    assert run_bot(bot, script=script, backend=backend, settings=settings).ending is Ending.RETURNED


@BACKENDS
def test_a_wait_is_a_coroutine_for_tasks_and_nurseries(backend):
    async def bot(room):
        waiting = room.wait_for(ChatReceived)
        assert inspect.iscoroutine(waiting)
        if backend == "asyncio":
            assert (await asyncio.create_task(waiting)).text == "a"
        else:
            waiting.close()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(room.wait_for, ChatReceived)

    assert run_bot(bot, script=[Join(0.0, "a"), Say(1.0, "a", "a")], backend=backend).ending is Ending.RETURNED


@BACKENDS
@pytest.mark.parametrize(
    "ask",
    [
        lambda room: room.listen("ChatReceived"),
        lambda room: room.listen(ChatReceived, on_full="sometimes"),
        lambda room: room.wait_for(ChatReceived, timeout=-1),
        lambda room: room.wait_for(ChatReceived, sender=b"alice"),
        lambda room: room.wait_for(ChatReceived, "text"),
    ],
)
def test_misuse_says_so_at_once(backend, ask):
    async def bot(room):
        with pytest.raises(LocalProtocolError):
            ask(room)

    assert run_bot(bot, backend=backend).ending is Ending.RETURNED
