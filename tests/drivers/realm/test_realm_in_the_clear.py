"""What is logged of a connection to Pulse, where everything can be read on the way: once in a process, for no guest."""

from __future__ import annotations

import subprocess
import sys

import pytest
from dcl_comms_drivers.wallet import LocalWallet
from rigs.drivers.realm import realm

KEY = f"{9:064x}"
PROGRAM = """
import logging, sys, time
from dcl_comms_core import RoomOpened
from dcl_comms_drivers import polled
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet

logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
url, who, pulse = sys.argv[1:]
awaited = "island" if pulse == "none" else "pulse"
for _ in range(2):
    wallet = DisposableWallet() if who == "guest" else LocalWallet(sys.stdin.readline().strip())
    with polled.open(url, wallet=wallet, pulse=None if pulse == "none" else pulse) as room:
        end, opened = time.monotonic() + 40.0, False
        while not opened:
            assert time.monotonic() < end
            opened = any(isinstance(event, RoomOpened) and event.room == awaited for event in room.poll())
            time.sleep(0.01)
"""


def logged(place, who, pulse="auto"):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, place.url, who, pulse],
        input=f"{KEY}\n" * 2,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A wallet without a profile is told of that too, by another logger.
    return "".join(line for line in done.stderr.splitlines(True) if not line.startswith("dcl_comms WARNING"))


@pytest.fixture(scope="module")
def place():
    with realm() as one:
        yield one


def test_the_first_connection_of_a_wallet_that_is_no_guest_is_told_of_once(place):
    said = logged(place, "somebody")
    assert said.startswith("dcl_comms_drivers WARNING Pulse is not encrypted")
    assert said.count("\n") == 1
    assert "pulse=None avoids it" in said
    assert KEY not in said
    assert LocalWallet(KEY).address.lower() not in said.lower()


def test_nothing_is_told_of_a_guest(place):
    assert logged(place, "guest") == ""


def test_nothing_is_told_where_pulse_is_not_asked():
    with realm(islands="heartbeats") as one:
        assert logged(one, "somebody", "none") == ""
