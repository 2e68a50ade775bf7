"""A realm of ours under attack: how far its memory grows, and how long its loop's thread works at once.

``attacked_realm.py ATTACK SECONDS [LIMITS]`` prints one JSON line as attacked.py does; the attacks are hostile_client.py's.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dcl_comms_drivers.realm.embedded import EmbeddedRealm
from rigs.attacks.attacked import LOOK, MIB, Rounds, Watch, Work

from dcl_comms_core import Limits

CLIENT = Path(__file__).with_name("hostile_client.py")
CONNECTIONS = 64
"""Of so many at most; each may have what waits for it, and the head and the body of a request."""
HEADS = 3 * 65_536


async def serve(attack: str, watch: Watch) -> dict[str, int]:
    async with EmbeddedRealm(livekit=False, limits=watch.limits) as realm:
        command = [sys.executable, "-P", "-W", "ignore", str(CLIENT), attack, realm.url.rpartition(":")[2]]
        client = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=os.environ)
        try:
            assert client.stdout is not None
            assert await client.stdout.readline() == b"ready\n"
            watch.begin()
            while not watch.over:
                await asyncio.sleep(LOOK)
                watch.look([])
            assert client.returncode is None, "the attackers have ended"
        finally:
            client.kill()
            await client.wait()
        return dict(realm.counters)


def main() -> None:
    attack, seconds, *rest = sys.argv[1:]
    limits = Limits(**{"server_connections": CONNECTIONS, **(json.loads(rest[0]) if rest else {})})
    work = Work()
    watch = Watch(work, float(seconds), reads=True, limits=limits)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Rounds(work))) as runner:
        counters = runner.run(serve(attack, watch))
    force = limits.server_connections * (2 * limits.server_queue_bytes + limits.server_body_bytes + HEADS) / MIB
    result: dict[str, Any] = watch.result()
    result |= {"limits_mib": force, "ratio": result["grown_mib"] / force, "events": sum(counters.values())}
    result["failures"] = counters
    print(json.dumps(result))


if __name__ == "__main__":
    main()
