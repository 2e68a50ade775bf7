"""A bridge: events as JSON to every WebSocket client, and {"say": text, "to": address?} from them into the room."""

from __future__ import annotations

import json
import sys
from functools import partial

from dcl_comms_drivers.asyncio import Connection, connect, run
from dcl_comms_drivers.wallet import DisposableWallet
from websockets.asyncio.server import ServerConnection, broadcast, serve

from dcl_comms_core import EVERYONE, CommsError, as_dict


class Bridge:
    def __init__(self) -> None:
        self.room: Connection | None = None
        self.clients: set[ServerConnection] = set()

    async def client(self, socket: ServerConnection) -> None:
        self.clients.add(socket)
        try:
            async for line in socket:
                await socket.send(json.dumps(self.do(line)))
        finally:
            self.clients.discard(socket)

    def do(self, line: str | bytes) -> dict[str, str]:
        try:
            order = json.loads(line)
            if self.room is None:
                return {"error": "not in a room yet"}
            if "to" in order and order["to"] not in self.room.peers:
                return {"error": "nobody of that name"}
            self.room.chat(order["say"], to=order.get("to", EVERYONE))
        except (ValueError, KeyError, TypeError, CommsError) as error:
            return {"error": str(error) or type(error).__name__}
        return {"ok": "said"}

    async def run(self, url: str, port: int) -> None:
        async with serve(self.client, "127.0.0.1", port):
            async for self.room in connect.forever(url, wallet=DisposableWallet()):
                async for event in self.room:
                    broadcast(self.clients, json.dumps(as_dict(event)))


if __name__ == "__main__":
    sys.exit(run(partial(Bridge().run, sys.argv[1], int(sys.argv[2]))))
