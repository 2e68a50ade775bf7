"""connect(..., journal=...): what a connection did, in a file or a Journal, and run again."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio

from dcl_comms_core import ChatReceived, ConnectionLost, Journal, LocalProtocolError, RoomState, WarningCode
from dcl_comms_core.events import Warning  # noqa: A004 - its name

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
    with pytest.raises(ConnectionLost):
        room.chat("too late")  # is not written to a closed file


def open_and_say(journal, text):
    with polled.open(f"simulator:journal{next(numbers)}", journal=journal) as room:
        while room.identity is None:
            room.wait(1.0)
            room.poll()
        room.chat(text)


def test_a_file_that_others_can_read_is_replaced_by_one_that_they_can_not(tmp_path):
    path = tmp_path / "journal"
    path.touch()
    path.chmod(0o666)
    with path.open() as opened_before:
        open_and_say(path, "a private word")
        assert opened_before.read() == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "a private word" in path.read_text()
    assert [found.name for found in tmp_path.iterdir()] == ["journal"]


@pytest.mark.parametrize("dangling", [False, True])
def test_what_a_link_points_to_is_left_alone(tmp_path, dangling):
    target, path = tmp_path / "precious", tmp_path / "journal"
    if not dangling:
        target.write_text("precious")
    path.symlink_to(target)
    open_and_say(path, "a word")
    assert not path.is_symlink()
    assert "a word" in path.read_text()
    assert target.read_text() == "precious" if not dangling else not target.exists()


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_not_replaced(tmp_path, kind):
    path = Path(os.devnull) if kind == "device" else tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    before = path.lstat().st_mode
    with pytest.raises(LocalProtocolError, match="a file to make anew"):
        polled.open(f"simulator:journal{next(numbers)}", journal=path)
    assert path.lstat().st_mode == before


@contextmanager
def small_disk(size):
    """No file of this process may be longer: what a full disk does, with another number for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def fill(connect, path, size):
    """Say more than the disk has place for, and go on saying it; what came of it."""
    target, told, heard = f"simulator:journal{next(numbers)}?announce_every=0&identity=", [], 0
    async with connect(target + "b") as friend, connect(target + "a", journal=path) as room:
        with small_disk(size):
            for _ in range(100):
                room.chat("x" * 200)
            await room.flush()
            while heard < 100:
                heard += isinstance(await anext(friend), ChatReceived)
        while room.stats.unread_events:
            told.append(await anext(room))
        room.chat("as before")
        return told, room.state, room.crash


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_full_disk_ends_the_recording_and_nothing_else(loop, tmp_path):
    path, size = tmp_path / "journal", 8_000
    if loop == "asyncio":
        told, state, crash = asyncio.run(fill(on_asyncio.connect, path, size))
    else:
        told, state, crash = trio.run(fill, on_trio.connect, path, size)
    assert (state, crash) == (RoomState.OPEN, None)
    warnings = [event for event in told if isinstance(event, Warning)]
    assert [warning.code for warning in warnings] == [WarningCode.JOURNAL_STOPPED]
    assert "File too large" in warnings[0].text
    # It ends with a whole line, and can be run again as far as it goes.
    assert 0 < path.stat().st_size <= size
    assert path.read_text().endswith("\n")
    assert Journal.read(path.read_text()).replay().identical


def test_a_disk_that_does_not_even_take_the_first_line(tmp_path):
    path = tmp_path / "journal"
    with small_disk(10):
        open_and_say(path, "unrecorded")
    assert path.read_bytes() == b""


def test_polled_tells_of_a_full_disk_at_the_next_poll(tmp_path):
    with polled.open(f"simulator:journal{next(numbers)}", journal=tmp_path / "journal") as room:
        while room.identity is None:
            room.wait(1.0)
            room.poll()
        with small_disk((tmp_path / "journal").stat().st_size + 10):
            room.chat("one too many")
        assert room.wait(0.0)
        assert [event.code for event in room.poll() if isinstance(event, Warning)] == [WarningCode.JOURNAL_STOPPED]


def test_a_journal_that_can_not_be_used(tmp_path):
    target = f"simulator:journal{next(numbers)}"
    with pytest.raises(FileNotFoundError):
        polled.open(target, journal=tmp_path / "no" / "such")
    used = Journal()
    with polled.open(target, journal=used), pytest.raises(LocalProtocolError, match="another Journal"):
        polled.open(target, journal=used)
