"""Commands on a terminal: colours, who moves in one line, the time of an event and not of its printing."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time

import pytest
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.exits import Exit
from dcl_comms_station.rooms import unix_time

from dcl_comms_core import ChatReceived

SGR = re.compile(r"\x1b\[[0-9;]*m")
MOVES = re.compile(r"[1-9]\d* moves?, \d+/s, 0x")


def walker(companion, url):
    """Somebody who walks on and on, and says something."""
    one = companion(url, wallet=DisposableWallet(), position=(8.0, 0.0, 8.0))
    one.do(lambda room: room.walk_to([(8.0, 0.0, 8.0), (80.0, 0.0, 8.0)] * 50))
    return one


def test_who_moves_is_one_line_below_what_is_said(on_terminal, dcl_realm, companion):
    one = walker(companion, dcl_realm.url)
    terminal = on_terminal("tail", dcl_realm.url, "--at", "8,0,8", columns=100)
    terminal.until(lambda picture: MOVES.match(picture.lines[-1]))
    one.await_company(1)
    for text in ("first", "second"):
        one.do(lambda room, text=text: room.chat(text))
        terminal.until_line(f"says: {text}")
    picture = terminal.until(lambda picture: MOVES.match(picture.lines[-1]))
    assert not any("heading" in line for line in picture.lines)
    assert not any(MOVES.search(line) for line in picture.lines[:-1])
    # Words in their colour, behind a time that is quiet.
    assert re.search(r"\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m  \x1b\[36misland +0x\S+ +says: first\x1b\[0m", terminal.text)
    assert "\x1b[32m" in terminal.text
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == (Exit.INTERRUPTED, "")
    # Nothing of it is left, and the shell's prompt begins a line.
    assert terminal.picture.lines[-1] == ""
    assert not any(MOVES.search(line) for line in terminal.picture.lines)


@pytest.mark.parametrize("variable", ["NO_COLOR", "--color never"])
def test_without_colours_who_moves_is_one_line_all_the_same(on_terminal, dcl_realm, companion, variable):
    walker(companion, dcl_realm.url)
    option, env = (variable.split(), {}) if variable.startswith("-") else ([], {variable: "1"})
    terminal = on_terminal("tail", dcl_realm.url, "--at", "8,0,8", *option, env=env)
    terminal.until(lambda picture: MOVES.match(picture.lines[-1]))
    assert not SGR.search(terminal.text)


def test_json_has_neither(on_terminal, dcl_realm, companion):
    walker(companion, dcl_realm.url)
    terminal = on_terminal(
        "tail", dcl_realm.url, "--at", "8,0,8", "--json", "--color", "always", "--only", "peer_moved", "--count", "3",
        columns=10_000,
    )  # fmt: skip
    assert terminal.wait() == (Exit.OK, "")
    assert "\x1b" not in terminal.text
    assert [json.loads(line)["event"] for line in terminal.text.splitlines()] == ["peer_moved"] * 3


def test_a_walker_sees_who_else_moves(on_terminal, dcl_realm, companion):
    walker(companion, dcl_realm.url)
    terminal = on_terminal("walk", dcl_realm.url, "8,0,8", "--stay", "60")
    terminal.until(lambda picture: MOVES.match(picture.lines[-1]))
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.wait() == (128 + signal.SIGTERM, "")


def test_a_dumb_terminal_gets_lines(on_terminal, dcl_realm, companion):
    walker(companion, dcl_realm.url)
    terminal = on_terminal(
        "tail", dcl_realm.url, "--at", "8,0,8", "--only", "peer_moved", "--count", "2", env={"TERM": "dumb"}
    )
    assert terminal.wait() == (Exit.OK, "")
    assert "\x1b" not in terminal.text
    assert terminal.text.count("heading") == 2


# --- in a pipe


@pytest.mark.parametrize(
    ("options", "env", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
        (("--json", "--color", "always"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_a_pipe_gets_colours_only_if_they_are_asked_for(run_cli, memory_room, companion, options, env, coloured):
    def act(room, _who):
        room.chat("\x1b[31mforged")
        room.move((1.0, 0.0, 2.0))

    companion(memory_room("other"), act)
    env = {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm", **env}
    result = run_cli("tail", memory_room("me"), "--count", "4", *options, env=env)
    assert result.exit_code == Exit.OK
    assert len(result.stdout.splitlines()) == 4
    assert bool(SGR.search(result.stdout)) is coloured
    # A peer's own escape is no escape any more, and each movement is a line.
    assert "\x1b[31m" not in result.stdout
    assert "peer_moved" in result.stdout or "is at (1.00, 0.00, 2.00)" in result.stdout


def test_the_time_of_an_event_is_not_that_of_its_reading(memory_room, companion):
    """Whoever is busy for a while learns of what happened meanwhile, and when it did."""
    other = companion(memory_room("other"))

    async def busy():
        async with connect(memory_room("me")) as room:
            heard = room.wait_for(ChatReceived, timeout=40.0)
            other.do(lambda room: room.chat("early"))
            await heard
            seen = time.time()
            await asyncio.sleep(0.5)
            async for event in room:
                if isinstance(event, ChatReceived):
                    return seen, unix_time(room, event.at), event.time.timestamp()
        return None

    seen, shown, told = asyncio.run(busy())
    assert shown < seen + 0.1
    assert abs(shown - told) < 0.1
