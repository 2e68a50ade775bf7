"""A page without a browser: it looks at the map, and has drawn at once what it is told.  Its link is the first line of standard input."""

from __future__ import annotations

import json
import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

VIEW = {"map": {"on": True, "hz": 20}, "chat": {"on": True}, "stats": {"on": True}, "time": {"on": True}}


def main() -> None:
    """Look until nobody tells it anything any more, or until standard input ends."""
    base, _, token = sys.stdin.readline().strip().partition("/#token=")
    url = f"ws{base.removeprefix('http')}/ws"
    with connect(url, origin=base, subprotocols=["dcl-station.1", f"token.{token}"], max_size=None) as socket:
        socket.send(json.dumps({"id": 1, "do": "hello", "protocol": 1, "view": VIEW}))
        threading.Thread(target=lambda: (sys.stdin.read(), socket.close()), daemon=True).start()
        print('{"did": "connect"}', flush=True)
        try:
            for frame in socket:
                told = json.loads(frame) if isinstance(frame, str) else {"s": int.from_bytes(frame[4:8], "little")}
                if "s" in told:
                    socket.send(json.dumps({"ack": told["s"]}))
        except ConnectionClosed:
            return


if __name__ == "__main__":
    main()
