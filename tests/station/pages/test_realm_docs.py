"""What docs/realm.md and docs/tap.md show of connect() runs in a realm."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

from dcl_comms_drivers.wallet import DisposableWallet

ROOT = Path(__file__).parents[3]
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
    assert shown.startswith("embedded island-C1 ")
    assert "in ('island',) says 'welcome'" in shown


def test_the_program_of_the_taps_page(dcl_realm, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tap.py", dcl_realm.url])
    run("docs/tap.md", dcl_realm.url)
    *steps, counts = capsys.readouterr().out.splitlines()
    assert {"Fetch", "Fetched", "IslandChanged", "RoomOpened", "WorldClosed"} <= {line.split()[-1] for line in steps}
    # "hello" and the wallet's profile, which is announced by itself.
    assert "'island: sent': 2" in counts
    assert "'island: taken': 2" in counts
