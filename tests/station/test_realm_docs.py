"""What README.md, docs/realm.md and docs/tap.md show of connect() runs in a realm."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

import pytest
from dcl_comms_drivers.wallet import DisposableWallet

ROOT = Path(__file__).parents[2]
REALM = "https://realm-provider.decentraland.org/main"


def example(file):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / file).read_text(), re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if "async with connect(" in block)


def run(file, url):
    exec(compile(example(file).replace(REALM, url), file, "exec"), {})  # noqa: S102 - our own documentation


def test_the_first_example_of_the_realms_page(dcl_realm, companion, capsys):
    other = companion(dcl_realm.url, wallet=DisposableWallet())
    bot = threading.Thread(target=run, args=("docs/realm.md", dcl_realm.url))
    bot.start()
    other.await_chat("hello")
    other.do(lambda room: room.chat("welcome"))
    bot.join(30)
    assert not bot.is_alive()
    shown = capsys.readouterr().out
    assert shown.startswith("embedded I1 ")
    assert "in ('island',) says 'welcome'" in shown


def two_of_the_readmes_program(realm, companion, start_process, tmp_path):
    """README's program as it stands, but for the realm's URL, and a second of it: each answers, and neither the other."""
    program = tmp_path / "ten.py"
    program.write_text(first := example("README.md").replace(REALM, realm.url), encoding="utf-8")
    assert realm.url in first
    bots = [start_process(command=[sys.executable, "-u", str(program)]) for _ in range(2)]
    other = companion(realm.url, wallet=DisposableWallet())
    other.await_arrivals(2)
    names = {event.sender for event in other.arrivals}
    # Some that are answered and some that are not, and one that is as long as a text may be.
    texts = ["!hi there", "hi there", "!" + "x" * 8_000, "!!", "!", "!last"]
    other.do(lambda room: [room.chat(text) for text in texts])
    expected = [f"{other.name} said {text[1:80]}" for text in texts if text.startswith("!")]
    for name in names:
        other.await_chat(expected[-1], timeout=30, sender=name)
    # Whatever one answered to the other's answers would have come before this.
    for name in names:
        said = [event.text for event in other.chats if event.sender == name]
        assert [text for text in said if text != "hello"] == expected
        assert said.count("hello") <= 1
    for bot in bots:
        assert bot.poll() is None, bot.communicate()
    for name in names:
        realm.ban(name.text)
    for bot in bots:
        _, told = bot.communicate(timeout=40.0)
        assert bot.returncode == 1
        assert re.search(r"^dcl_comms_core.errors.ConnectionLost: .*(banned|removed)", told, re.MULTILINE), told


def test_two_of_the_readmes_program_in_ws_rooms(dcl_realm, companion, start_process, tmp_path):
    """Where nobody can whisper."""
    two_of_the_readmes_program(dcl_realm, companion, start_process, tmp_path)


@pytest.mark.dcl_realm(livekit=True)
@pytest.mark.livekit
def test_two_of_the_readmes_program_in_livekits_rooms(dcl_realm, companion, start_process, tmp_path):
    two_of_the_readmes_program(dcl_realm, companion, start_process, tmp_path)


def test_the_program_of_the_taps_page(dcl_realm, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tap.py", dcl_realm.url])
    run("docs/tap.md", dcl_realm.url)
    *steps, counts = capsys.readouterr().out.splitlines()
    assert {"Fetch", "Fetched", "IslandChanged", "RoomOpened", "WorldClosed"} <= {line.split()[-1] for line in steps}
    assert "'island: sent': 1" in counts
    assert "'island: taken': 1" in counts
