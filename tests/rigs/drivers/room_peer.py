"""A peer on our own drivers in a process of its own, on asyncio, trio or polled, driven by JSON lines.

Run as a script it is the peer; imported, ``RoomPeer`` starts one and talks to it.  It reports each event by its name,
with what is worth knowing of it, and how the room ended.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time

from rigs.drivers.sdk_peer import SdkPeer, say


class RoomPeer(SdkPeer):
    """Joins with ``join``, at once where a target is given; ``settings`` are those of connect()."""

    script = __file__

    def __init__(self, loop, target=None, **settings):
        self.loop = loop
        self.settings = settings
        self.start(loop)
        if target is not None:
            self.join(target)

    def join(self, target):
        """The connection string goes in through standard input."""
        self.tell("connect", target=target, settings=self.settings)

    def numbers(self):
        """Those of the numbered packets that it got so far."""
        self.tell("numbers")
        return self.expect("numbers")["numbers"]

    def gets(self, *series, timeout=40.0):
        """Wait for numbered packets: each series complete, in order, each number once; series of others may mix with it."""
        end = time.monotonic() + timeout
        while len(found := self.numbers()) < sum(map(len, series)) and time.monotonic() < end:
            time.sleep(0.1)
        assert [[number for number in found if number in expected] for expected in series] == [list(e) for e in series]
        assert len(found) == sum(map(len, series))


class _Program:
    def __init__(self, kit):
        self.kit = kit
        self.orders = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self.over = False
        self.numbers = []

    def _read(self):
        for line in sys.stdin:
            self.orders.put(json.loads(line))
        self.orders.put({"do": "quit"})

    async def run(self, _):
        from dcl_comms_core import ConnectionLost

        say("ready")
        order = self.orders.get()
        settings = order["settings"]
        if "limits" in settings:
            from dcl_comms_core import Limits

            settings["limits"] = Limits(**settings["limits"])
        try:
            async with self.kit.connect(order["target"], **settings) as client:
                await self.kit.all(lambda: self._watch(client), lambda: self._obey(client))
        except ConnectionLost as error:
            say("lost", reason=error.reason.name, retry=error.retry.name, text=str(error))
        say("end")

    async def _watch(self, client):
        from dcl_comms_core import ConnectionLost

        try:
            while True:
                event = await client.next()
                client.seen.clear()
                details = {}
                match type(event).__name__:
                    case "VoiceReceived":
                        # Thousands of them: told of in one piece, when asked for.
                        self.numbers.append(event.index)
                        continue
                    case "PacketReceived":
                        details = {"size": len(event.data)}
                    case "RoomOpened":
                        details = {"identity": event.identity.text}
                    case "PeerJoined" | "PeerLeft":
                        details = {"identity": event.sender.text}
                    case "Reconnecting":
                        details = {"attempt": event.attempt, "reason": event.reason.name}
                    case "Reconnected":
                        details = {"attempt": event.attempt}
                    case "RoomClosed":
                        details = {"reason": event.reason.name, "retry": event.retry.name}
                say(type(event).__name__, **details)
        except StopAsyncIteration:
            say("closed")
        except ConnectionLost as error:
            say("lost", reason=error.reason.name, retry=error.retry.name)
        self.over = True

    async def _obey(self, client):
        from dcl_comms_core import Packet, Voice

        while not self.over:
            try:
                order = self.orders.get_nowait()
            except queue.Empty:
                await self.kit.sleep(0.02)
                continue
            match order["do"]:
                case "send":
                    # ``count`` numbered packets of ``size`` bytes, from ``start`` on.
                    padding = bytes(max(order.get("size", 0) - 10, 0))
                    for number in range(order["start"], order["start"] + order["count"]):
                        await client.send(
                            Packet(voice=Voice(index=number, encoded_samples=padding)), reliable=order["reliable"]
                        )
                    await client.flush()
                    say("sent")
                case "send and leave":
                    # All at once, and the room is left while nearly all of it still waits for credit.
                    for number in range(order["start"], order["start"] + order["count"]):
                        client.send_nowait(
                            Packet(voice=Voice(index=number, encoded_samples=bytes(order["size"]))), reliable=True
                        )
                    await client.aclose(order["drain"])
                    return
                case "numbers":
                    say("numbers", numbers=self.numbers)
                case "quit":
                    await client.aclose(order.get("drain"))
                    return


if __name__ == "__main__":
    from rigs.drivers.kit import Kit

    kit = Kit(sys.argv[1])
    kit.run(_Program(kit).run)
