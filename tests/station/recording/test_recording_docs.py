"""The program of the page runs as it is written there."""

from __future__ import annotations

import subprocess
import sys

from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.page import source


def test_the_page_s_program(dcl_realm, companion, tmp_path):
    companion(dcl_realm.url, wallet=DisposableWallet())
    command = [sys.executable, "-c", source("recording.md", 0), dcl_realm.url, str(tmp_path / "evening.mcap")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert " island 0x" in done.stdout
    assert " told " in done.stdout
