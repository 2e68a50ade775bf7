"""What README.md, docs/realm.md and docs/tap.md show of connect() runs in a realm."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

import pytest
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import ConnectionLost

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
    assert "in ('island',) says welcome" in shown


@pytest.mark.dcl_realm(livekit=True)
@pytest.mark.livekit
def test_the_first_example_of_the_readme(dcl_realm, companion):
    def live():
        # It goes on for ever: only somebody else can end it.
        with pytest.raises(ConnectionLost, match=r"banned|removed"):
            run("README.md", dcl_realm.url)

    bot = threading.Thread(target=live)
    other = companion(dcl_realm.url, lambda room, _who: room.chat("anybody?"), wallet=DisposableWallet())
    bot.start()
    assert other.await_chat("you said anybody?", timeout=30).private
    other.await_chat("hello")
    dcl_realm.ban(other.chats[0].sender.text)
    bot.join(30)
    assert not bot.is_alive()


def test_the_program_of_the_taps_page(dcl_realm, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tap.py", dcl_realm.url])
    run("docs/tap.md", dcl_realm.url)
    *steps, counts = capsys.readouterr().out.splitlines()
    assert {"Fetch", "Fetched", "IslandChanged", "RoomOpened", "WorldClosed"} <= {line.split()[-1] for line in steps}
    assert "'island: sent': 1" in counts
    assert "'island: taken': 1" in counts
