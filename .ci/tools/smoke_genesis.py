"""Genesis City as it is today, with the internet: a guest on Pulse, on an island, and whom it sees.  A maintainer's.

    python .ci/tools/smoke_genesis.py                                                  # the environment for trials (zone)
    python .ci/tools/smoke_genesis.py https://realm-provider.decentraland.org/main     # production

Stays for half a minute, says nothing to anybody, and prints when each step came.  Exit 0: it was on Pulse, on an
island and in the island's room; 1: what did not come.
"""

from __future__ import annotations

import sys
import time

from dcl_comms_drivers import polled
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import IslandChanged, PeerMoved, RealmOpened, RoomClosed, RoomOpened
from dcl_comms_core import Warning as WarningEvent

ZONE = "https://realm-provider.decentraland.zone/main"
STAY = 30.0


def main() -> int:  # noqa: C901 - one flat dispatch
    target = sys.argv[1] if len(sys.argv) > 1 else ZONE
    began = time.monotonic()
    missing = {"pulse": "no handshake with Pulse", "realm": "no island service", "on": "no island", "island": "no room"}
    movers: set[str] = set()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.2f} s  {text}", flush=True)

    with polled.open(target, wallet=DisposableWallet(), position=(8.0, 0.0, 8.0), reconnect=False) as room:
        while not room.closed and time.monotonic() - began < STAY:
            room.wait(0.2)
            for event in room.poll():
                match event:
                    case RoomOpened(room=name):
                        missing.pop(name, None)
                        say(f"{name} is open: {event.name!r}")
                    case RealmOpened():
                        missing.pop("realm", None)
                        say("the island service knows us")
                    case IslandChanged(island=island):
                        missing.pop("on", None)
                        say(f"on island {island!r}")
                    case WarningEvent(room=name, code=code, text=text):
                        say(f"{name}: {code.value}: {text}")
                    case RoomClosed(room=name, reason=reason, detail=detail):
                        say(f"{name} is closed: {reason.value} ({detail})")
                    case PeerMoved(room="pulse", sender=who) if who is not None:
                        movers.add(who.key)
                    case _:
                        pass
    say(f"{len(movers)} players were seen to move by Pulse")
    for what in missing.values():
        print(f"MISSING: {what}", file=sys.stderr)
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
