"""What README's imports load, and what waits until somebody needs it: each costs every program some time."""

from __future__ import annotations

import subprocess
import sys

from dcl_comms_core import codec

PROGRAM = """
import sys
from dcl_comms_core import ChatReceived, PeerId, PeerMoved
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.wallet import DisposableWallet
print(*sorted(sys.modules))
import dcl_comms_core
print(dcl_comms_core.MemoryRoom.__name__, "Journal" in dir(dcl_comms_core), hasattr(dcl_comms_core, "Journals"))
"""
WAIT = (
    "dcl_comms_core.merged.session",
    "dcl_comms_core.pulse.session",
    "dcl_comms_core.servers",
    "dcl_comms_core.simulation",
    "dcl_comms_core.journal",
    "dcl_comms_core.testing",
    "dcl_comms_core.world",
    "dcl_comms_drivers.realm",
    "dcl_comms_drivers.livekit.engine",
    "dcl_comms_drivers.livekit.sdk",
    "dcl_comms_drivers.net.link",
    "eth_account",
    "html",
    "livekit",
    "numpy",
)
TWIN = ("dcl_comms_core.codec.python", "dcl_comms_core.codec._gen.decoders", "dcl_comms_core.codec._gen.encoders")


def test_what_few_programs_need_is_loaded_when_it_is_needed():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    modules, rest = run.stdout.splitlines()
    loaded = set(modules.split())
    assert "dcl_comms_core.room.session" in loaded
    assert loaded.isdisjoint(WAIT)
    if "native" in codec.engines():
        assert loaded.isdisjoint(TWIN)
    assert rest == "MemoryRoom True False"
