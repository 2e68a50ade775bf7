"""The pytest plugin that users get with the package: in a pytest of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from dcl_comms_drivers.realm.livekit_binary import find_server

# Ours alone of the plugins on this machine, and by name, so that it need not be installed.
PLUGIN = ["-p", "dcl_comms_drivers.pytest_plugin"]
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def run_pytest(folder, text, *options, **env):
    (folder / "test_theirs.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN, *options]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **ALONE, **env}, timeout=55
    )
    return done.returncode, done.stdout + done.stderr


THEIRS = """
import asyncio
import http.client
import json

import pytest
import trio

def about(realm):
    connection = http.client.HTTPConnection(realm.url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/about")
    return json.loads(connection.getresponse().read())

def test_a_realm(dcl_realm, dcl_wallet):
    assert about(dcl_realm)["configurations"]["realmName"] == "embedded"
    dcl_realm.ban(dcl_wallet.address)
    dcl_realm.restart()
    assert about(dcl_realm)["healthy"]

@pytest.mark.dcl_realm(name="plaza", livekit=False)
def test_a_realm_of_another_name(dcl_realm, dcl_wallet):
    assert about(dcl_realm)["configurations"]["realmName"] == "plaza"
    assert dcl_realm.livekit is None
    assert len(dcl_wallet.address) == 42

async def meet(dcl_peer):
    async with dcl_peer() as alice, dcl_peer(profile_version=1) as bob:
        async for event in alice:
            if type(event).__name__ == "PeerJoined" and event.sender == bob.identity:
                break

@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_somebody_else(dcl_peer, run):
    run(*((meet(dcl_peer),) if run is asyncio.run else (meet, dcl_peer)))

@pytest.mark.dcl_realm(livekit=True)
def test_a_realm_of_livekit(dcl_realm, dcl_livekit):
    assert dcl_realm.livekit is dcl_livekit
    assert dcl_livekit.alive
"""


@pytest.mark.livekit
def test_what_users_get(tmp_path, livekit_server):
    here = {"LIVEKIT_SERVER": str(find_server())}
    code, text = run_pytest(tmp_path, THEIRS, "--strict-markers", "-W", "error", **here)
    assert (code, "5 passed" in text) == (0, True), text


def test_without_a_livekit_server_its_fixture_skips_or_fails(tmp_path):
    nowhere = {"LIVEKIT_SERVER": str(tmp_path / "nothing")}
    code, text = run_pytest(tmp_path, THEIRS, REQUIRE_LIVEKIT="0", **nowhere)
    assert (code, "4 passed, 1 skipped" in text) == (0, True), text
    code, text = run_pytest(tmp_path, THEIRS, REQUIRE_LIVEKIT="1", **nowhere)
    assert (code, "4 passed, 1 error" in text) == (1, True), text


UNUSED = """
import sys

def test_nothing_was_loaded():
    ours = {name for name in sys.modules if name.startswith(("dcl_comms", "httpx", "h11", "websockets", "livekit"))}
    assert ours == {"dcl_comms_drivers", "dcl_comms_drivers.pytest_plugin"}
    assert "hypothesis" not in sys.modules
"""


def test_unused_it_loads_nothing(tmp_path):
    code, text = run_pytest(tmp_path, UNUSED, "-W", "error")
    assert (code, "1 passed" in text) == (0, True), text
