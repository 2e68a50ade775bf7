"""connect(..., journal=...): what a connection did, in a file or a Journal, and run again."""

from __future__ import annotations

import asyncio
import stat
from itertools import count

import pytest
import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio

from dcl_comms_core import ChatReceived, Journal, LocalProtocolError

numbers = count()


async def converse(connect, target, journal):
    async with connect(target + "b") as friend, connect(target + "a", journal=journal) as room:
        friend.chat("hello")
        async for event in room:
            if isinstance(event, ChatReceived):
                break
        room.chat("and you")
        await room.flush()


def run(loop, *args):
    if loop == "asyncio":
        asyncio.run(converse(on_asyncio.connect, *args))
    else:
        trio.run(converse, on_trio.connect, *args)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", ["str", "path", "journal"])
def test_a_connection_that_is_written_down(loop, kind, tmp_path):
    path = tmp_path / "journal"
    path.write_text("something older")
    journal = {"str": str(path), "path": path, "journal": Journal()}[kind]
    run(loop, f"simulator:journal{next(numbers)}?announce_every=0&identity=", journal)
    text = journal.text() if kind == "journal" else path.read_text()
    assert '"text": "hello"' in text
    assert '"and you"' in text
    replay = Journal.read(text).replay()
    assert replay.identical, str(replay)
    assert replay.steps > 5


def test_a_file_is_its_owners_and_is_closed(tmp_path):
    path = tmp_path / "journal"
    with polled.open(f"simulator:journal{next(numbers)}", journal=path) as room:
        while room.identity is None:
            room.wait(1.0)
            room.poll()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Journal.read(path.read_text()).replay().identical
    with pytest.raises(LocalProtocolError):
        room.chat("too late")  # is not written to a closed file


def test_a_journal_that_can_not_be_used(tmp_path):
    target = f"simulator:journal{next(numbers)}"
    with pytest.raises(FileNotFoundError):
        polled.open(target, journal=tmp_path / "no" / "such")
    used = Journal()
    with polled.open(target, journal=used), pytest.raises(LocalProtocolError, match="another Journal"):
        polled.open(target, journal=used)
