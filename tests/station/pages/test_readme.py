"""README's programs as they stand, two of each at once, wherever README says that they may be."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import page_programs
import pytest
from conftest import EACH_ENGINE
from dcl_comms_drivers.wallet import DisposableWallet

README = Path(__file__).parents[3] / "README.md"
REALM = "https://realm-provider.decentraland.org/main"
LONG = "!" + "x" * 8_000
SAID = {
    "echo": {
        "!hi there": ["somebody said hi there"],
        "hi there": [],
        LONG: ["somebody said " + "x" * 79],
        "!!": ["somebody said !"],
        "!": ["somebody said "],
        "!last": ["somebody said last"],
    },
    "frame": {
        "!roll 1": ["1"],
        "roll": [],
        "!roll -7": ["1"],
        "!roll six": ["sides: 'six' is no int. !roll [sides]"],
        "!nothing": [],
        LONG: [],
        "!": [],
        "!help roll": [" !roll [sides]: Throw a die."],
    },
}
"""What is said to each program, and what each of two answers: never to the other's answers."""
ECHO, FRAME = page_programs.blocks(README)
PROGRAMS = {"echo": ECHO, "frame": FRAME}


@pytest.fixture(params=PROGRAMS)
def program(request):
    return request.param


@pytest.fixture
def play(program, companion, start_process, tmp_path):
    """Two of it in one place, which somebody talks to; then both are put out."""

    def run(realm, target):
        file = tmp_path / "program.py"
        file.write_text(text := PROGRAMS[program].replace(REALM, target), encoding="utf-8")
        assert target in text
        bots = [start_process(command=[sys.executable, "-u", str(file)]) for _ in range(2)]
        other = companion(target, wallet=DisposableWallet())
        names = set(other.await_company(2))
        other.do(lambda room: [room.chat(text) for text in SAID[program]])
        expected = [answer for answers in SAID[program].values() for answer in answers]
        for name in names:
            other.await_chats(expected, sender=name)
        # Whatever one answered to the other's answers would have come before the answers to this.
        first = next(text for text, answers in SAID[program].items() if answers == expected[:1])
        other.do(lambda room: room.chat(first))
        for name in names:
            other.await_chats([*expected, expected[0]], sender=name)
        for bot in bots:
            assert bot.poll() is None, bot.communicate()
        for name in names:
            realm.ban(name.text)
        for bot in bots:
            _, told = bot.communicate(timeout=60.0)
            assert bot.returncode == 1, told
            assert re.search("banned|removed", told), told

    return run


def test_in_a_realm_of_ws_rooms(dcl_realm, play):
    """Where nobody can whisper."""
    play(dcl_realm, dcl_realm.url)


@EACH_ENGINE
@pytest.mark.dcl_realm(livekit=True)
@pytest.mark.livekit
def test_in_a_realm_of_livekits_rooms(dcl_realm, play):
    play(dcl_realm, dcl_realm.url)


def test_in_a_world(dcl_realm, play):
    play(dcl_realm, f"{dcl_realm.url}/world/name.dcl.eth")


def test_in_a_ws_room_alone(dcl_realm, play):
    play(dcl_realm, f"ws-room:{dcl_realm.url.replace('http', 'ws', 1)}/rooms/plaza")


def test_it_is_a_screen_and_a_half():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 120
