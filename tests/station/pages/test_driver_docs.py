"""docs/driver.md: its programs run, it shows nothing but what they are, and its tables have everything that there is."""

from __future__ import annotations

import re
import signal
import sys
import threading
from pathlib import Path
from typing import get_args

import pytest
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import commands, inputs

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "driver.md").read_text(encoding="utf-8")
PROGRAMS = pytest.mark.parametrize("program", ["own_loop", "own_pump"])


def command_line(program, *args):
    return [sys.executable, str(ROOT / "examples" / f"{program}.py"), *args]


@pytest.fixture
def plaza(dcl_realm):
    return f"ws-room:{dcl_realm.url.replace('http', 'ws', 1)}/rooms/plaza"


@pytest.fixture
def said(start_process):
    """Start one of the programs: gives it, and a list of the lines that it printed so far."""

    def start(program, *args):
        process = start_process(command=command_line(program, *args))
        lines: list[str] = []
        threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
        return process, lines

    return start


def ended(process, lines):
    assert process.wait(40) == 0
    assert process.stderr.read() == ""
    return "".join(lines)


@PROGRAMS
def test_it_says_hello_hears_comes_back_and_leaves_on_an_interrupt(program, plaza, dcl_realm, companion, said):
    friend = companion(plaza, wallet=DisposableWallet())
    process, lines = said(program, plaza)
    first = friend.await_chat("hello from a loop of my own", 20)
    friend.do(lambda room: room.chat("one"))
    until(lines, "'one'")
    dcl_realm.restart()  # the next line is another generation
    until(lines, "lost: ")
    until(lines, "back")
    heard_again(friend, lines)
    process.send_signal(signal.SIGINT)
    told = ended(process, lines)
    assert told.startswith(f"in the room as {first.sender}\n")
    assert len(friend.chats) == 1


def until(lines, text):
    end = threading.Event()
    for _ in range(2000):
        if any(text in line for line in tuple(lines)):
            return
        end.wait(0.02)
    raise AssertionError(f"{text!r} was not printed: {lines}")


def heard_again(friend, lines):
    """The friend comes back too, whichever of the two is first."""
    for _ in range(400):
        friend.do(lambda room: room.chat("two") if room.state.value == "open" else None)
        if any("'two'" in line for line in tuple(lines)):
            return
        threading.Event().wait(0.1)
    raise AssertionError(f"nothing was heard after the restart: {lines}")


@PROGRAMS
def test_it_leaves_after_so_many_seconds(program, plaza, said):
    process, lines = said(program, plaza, "1")
    assert ended(process, lines).startswith("in the room as 0x")


@PROGRAMS
@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("ws-room:ws://127.0.0.1:9/rooms/plaza", "the server can't be reached"),
        ("ws-room:ws://10.0.0.1:9/rooms/plaza", "an address that must not be used from here"),
        ("ws-room:wss://127.0.0.1:9/rooms/plaza", "wss: would need TLS"),
        ("livekit:wss://127.0.0.1", "access_token"),
        ("offline:offline", "a ws-room: string, please"),
    ],
)
def test_what_can_not_be_joined_is_told_in_one_line(program, target, why, run_process):
    result = run_process(target, command=command_line(program))
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert why in result.stderr


def test_the_page_shows_the_programs_as_they_are():
    programs = [(ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8") for name in ("own_loop", "own_pump")]
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 8
    for block in blocks:
        assert any(block in program for program in programs), block


def rows(heading):
    """The first cells of the table below a heading that has a row for everything."""
    text = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    (table,) = [part.strip() for part in text.split("\n\n") if part.strip().startswith(("| command", "| input"))]
    return [re.fullmatch(r"\| `(\w+)` \|.*", row)[1] for row in table.splitlines()[2:]]


def test_the_tables_have_every_command_and_every_input_once():
    assert sorted(rows("What each command is owed")) == sorted(kind.__name__ for kind in get_args(commands.Command))
    assert sorted(rows("What each input tells")) == sorted(kind.__name__ for kind in get_args(inputs.Input))


def test_answers_in_the_table_are_inputs():
    answers = PAGE.partition("| command |")[2].partition("\n\n")[0]
    named = {name for row in answers.splitlines()[2:] for name in re.findall(r"`([A-Z]\w+)`", row.split("|")[3])}
    assert named <= {kind.__name__ for kind in get_args(inputs.Input)}
    assert len(named) > 8
