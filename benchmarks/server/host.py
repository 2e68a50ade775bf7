"""A RoomHost in a process of its own: says where it is and who signs tokens, as JSON; ends with its standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from dcl_comms_drivers.realm.rooms import RoomHost
from livekit_party import say


def main() -> None:
    with RoomHost.start() as server:
        say(did="connect", url=server.url, key=server.key, secret=server.secret)
        for line in sys.stdin:
            assert not json.loads(line), "there are no orders"


if __name__ == "__main__":
    main()
