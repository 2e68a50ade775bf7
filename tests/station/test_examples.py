"""The echo bots of examples/: over the memory room in this process, over a real livekit-server as processes."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import trio
from conftest import EACH_ENGINE
from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token

from dcl_comms_core import PeerId

EXAMPLES = Path(__file__).parents[2] / "examples"
BOTS = pytest.mark.parametrize("bot", ["echo_asyncio", "echo_trio", "echo_polled"])


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_until(bot, target, over):
    """Run a bot in this thread until ``over`` is set, then end it as its loop ends a program."""
    module = load(bot)
    if bot == "echo_polled":
        module.echo(target, running=lambda: not over.is_set())
    elif bot == "echo_asyncio":

        async def main():
            task = asyncio.create_task(module.echo(target))
            while not (over.is_set() or task.done()):
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
    else:

        async def main():
            async with trio.open_nursery() as tasks:
                tasks.start_soon(module.echo, target)
                while not over.is_set():
                    await trio.sleep(0.01)
                tasks.cancel_scope.cancel()

        trio.run(main)


def converse(companion, target):
    """Speak to the bot as soon as it is there, and read what it says."""
    return companion(target("friend"), lambda room, who: room.chat("one"), lambda room, who: room.chat("two", to=who))


@BOTS
def test_a_bot_over_memory(bot, companion, memory_room, capsys):
    friend = converse(companion, memory_room)
    over = threading.Event()
    thread = threading.Thread(target=run_until, args=(bot, memory_room("bot"), over))
    thread.start()
    try:
        public, private = friend.await_chat("echo: one"), friend.await_chat("echo: two")
    finally:
        over.set()
        thread.join(40)
    assert not thread.is_alive()
    assert (public.sender, public.private) == (PeerId("bot"), False)
    assert (private.sender, private.private) == (PeerId("bot"), True)
    assert "friend: 'one'" in capsys.readouterr().out


@BOTS
def test_two_bots_do_not_talk_for_ever(bot, companion, memory_room):
    friend = converse(companion, memory_room)
    over = threading.Event()
    threads = [threading.Thread(target=run_until, args=(bot, memory_room(name), over)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    friend.await_chat("echo: two")
    time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join(40)
    # Both come in while the friend greets each of them once: two greetings, four answers at most.
    assert len(friend.chats) <= 6


@EACH_ENGINE
@BOTS
@pytest.mark.livekit
def test_a_bot_as_a_program(bot, companion, livekit_room, start_process):
    room = livekit_room()
    friend = converse(companion, room.connection_string)
    target = room.connection_string("0xBot")
    program = start_process(command=[sys.executable, str(EXAMPLES / f"{bot}.py")], env={"DCL_COMMS_TARGET": target})
    public, private = friend.await_chat("echo: one"), friend.await_chat("echo: two")
    assert (public.sender, public.private) == (PeerId("0xBot"), False)
    assert (private.sender, private.private) == (PeerId("0xBot"), True)
    program.send_signal(signal.SIGINT)
    stdout, stderr = program.communicate(timeout=40.0)
    assert program.returncode == 0
    assert stderr == ""
    assert "in the room as 0xBot" in stdout
    assert_no_secret(target.partition("access_token=")[2], stdout, stderr)


@EACH_ENGINE
@BOTS
def test_a_bot_that_is_not_let_in_says_so_in_one_line(bot, run_process):
    secret = make_token(ttl=-10)
    result = run_process(
        f"livekit:ws://127.0.0.1:9?access_token={secret}", command=[sys.executable, str(EXAMPLES / f"{bot}.py")]
    )
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "expired" in result.stderr
    assert_no_secret(secret, result.stdout, result.stderr)
