"""What each client does in rooms of our own and at livekit-server, side by side: ``python .ci/tools/rooms_table.py``.

One script for all of them: each client joins under the name ``it``, our own is the other party.  Prints the table of
docs/rooms.md; a client that is not here has no row.  Needs livekit-server, ``dcl_comms_rtc``, and of each row its client.
"""

# ruff: noqa: E402 - rigs are no package of ours

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from dcl_comms_drivers.realm.rooms import RoomHost
from rigs.drivers.sdk_peer import SdkPeer
from rigs.interop.browser_peer import BrowserPeer, chromium
from rigs.interop.npm import installed

from dcl_comms_core import (
    EVERYONE,
    ConnectionLost,
    PacketRejected,
    PeerId,
    PeerJoined,
    PeerLeft,
    Reconnected,
    Reconnecting,
)

NODE = ROOT / ".cache" / "rtc-node"
COLUMNS = ("join", "both ways", "topic", "addressed", "presence", "cut socket", "removed", "leave")
SECONDS = 30.0


class Cutter:
    """A TCP port in front of a server's, whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End all connections that there are."""
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, back]
        with contextlib.suppress(OSError):
            await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


class Ours:
    """Our client under the same orders as the others."""

    def __init__(self, url: str, token: str, engine: str) -> None:
        self._context = connect(f"livekit:{url}?access_token={token}", engine=engine, silent=True)
        self.seen: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        self._connection = await self._context.__aenter__()
        self._task = asyncio.create_task(self._read())
        self.seen.append({"event": "connected", "peers": sorted(map(str, self._connection.peers))})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._context.__aexit__(None, None, None)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionLost):
            await self._take_all()
        self.seen.append({"event": "disconnected"})

    async def _take_all(self) -> None:
        async for event in self._connection:
            match event:
                case PacketRejected():
                    self.seen.append({"event": "data", "sender": str(event.sender), "size": event.size})
                case PeerJoined():
                    self.seen.append({"event": "joined", "identity": str(event.sender)})
                case PeerLeft():
                    self.seen.append({"event": "left", "identity": str(event.sender)})
                case Reconnecting():
                    self.seen.append({"event": "reconnecting"})
                case Reconnected():
                    self.seen.append({"event": "reconnected"})
                case _:
                    pass

    def send(self, data: bytes, to: tuple[str, ...] = (), *, reliable: bool = True, topic: str = "") -> None:
        """Send bytes that are no packet of Decentraland's."""
        self._connection.send_bytes(
            data, to=[PeerId(one) for one in to] if to else EVERYONE, reliable=reliable, topic=topic
        )


class Process:
    """A client in a process of its own."""

    def __init__(self, make: Any) -> None:
        self._make = make

    async def __aenter__(self) -> Self:
        self.peer = await asyncio.to_thread(self._make)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.peer.close)

    @property
    def seen(self) -> list[dict[str, Any]]:
        """What it reported."""
        self.peer.take()
        return self.peer.seen

    def send(self, data: bytes, to: tuple[str, ...] = (), *, reliable: bool = True, topic: str = "") -> None:
        """The same."""
        self.peer.send(data, to, reliable=reliable, topic=topic)


class NodePeer(SdkPeer):
    """The one of Node."""

    def __init__(self, url: str, token: str) -> None:
        self.run(["node", str(ROOT / "tests/rigs/interop/node_peer.cjs"), str(NODE)])
        self.tell("connect", url=url, token=token)


def clients() -> dict[str, Any]:
    """What makes each client that is here, of a URL and a token."""
    found: dict[str, Any] = {
        'ours, `engine="rtc"`': lambda url, token: Ours(url, token, "rtc"),
        'ours, `engine="livekit"`': lambda url, token: Ours(url, token, "livekit"),
        "`livekit.rtc` of Python": lambda url, token: Process(lambda: SdkPeer(url, token)),
    }
    if NODE.is_dir():
        found["`@livekit/rtc-node`"] = lambda url, token: Process(lambda: NodePeer(url, token))
    browser = chromium()
    if browser is not None:
        library = str(installed("browser") / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js")
        found["`livekit-client` in Chromium"] = lambda url, token: Process(
            lambda: BrowserPeer(url, token, browser=browser, library=library)
        )
    return found


async def until(condition: Any) -> bool:
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.02)
    return True


def events(client: Any, kind: str, **fields: object) -> list[dict[str, Any]]:
    return [
        one
        for one in client.seen
        if one.get("event") == kind and all(one.get(key) == value for key, value in fields.items())
    ]


async def play(server: Any, make: Any, room: str) -> dict[str, str]:
    """One client at one server."""
    found = dict.fromkeys(COLUMNS, "-")

    def note(column: str, good: object, words: str = "yes") -> None:
        found[column] = words if good else "no"

    async def heard(who: Any, sender: str, count: int) -> bool:
        return await until(lambda: len(events(who, "data", sender=sender)) >= count)

    async with Cutter(server.port) as cutter, Ours(server.url, server.token("other", room), "rtc") as other:
        async with make(f"ws://127.0.0.1:{cutter.port}", server.token("it", room)) as it:
            joined = await until(lambda: events(it, "connected"))
            note("join", joined and events(it, "connected")[0]["peers"] == ["other"])
            if not joined:
                return found
            await until(lambda: events(other, "joined", identity="it"))
            for reliable in (True, False):
                it.send(b"\xff\x01", reliable=reliable)
                other.send(b"\xff\x02", reliable=reliable)
            there = await heard(other, "it", 2)
            note("both ways", there and await heard(it, "other", 2))
            other.send(b"\xff\x03", topic="a topic")
            note("topic", await heard(it, "other", 3))
            it.send(b"\xff\x04\x00", ("other", "nobody"))
            it.send(b"\xff\x05", ("nobody",))
            it.send(b"\xff\x06\x00\x00")
            await heard(other, "it", 4)
            note("addressed", [one["size"] for one in events(other, "data", sender="it")][2:] == [3, 4])
            async with Ours(server.url, server.token("third", room), "rtc"):
                came = await until(lambda: events(it, "joined", identity="third"))
            note("presence", came and await until(lambda: events(it, "left", identity="third")))
            cutter.cut()
            back = await until(lambda: events(it, "reconnected"))
            it.send(b"\xff\x07")
            other.send(b"\xff\x08")
            goes_on = await heard(other, "it", 5)
            goes_on = goes_on and await heard(it, "other", 4)
            anew = bool(events(other, "left", identity="it"))
            note("cut socket", back and goes_on, "joins anew" if anew else "resumes, nothing lost")
            await asyncio.to_thread(server.remove_participant, room, "it")
            note("removed", await until(lambda: events(it, "disconnected")))
            await until(lambda: len(events(other, "left", identity="it")) >= 1)
        gone = len(events(other, "left", identity="it"))
        async with make(server.url, server.token("it", room)) as it:
            await until(lambda: events(it, "connected"))
            await until(lambda: len(events(other, "joined", identity="it")) > gone)
        note("leave", await until(lambda: len(events(other, "left", identity="it")) > gone))
    return found


async def main() -> None:
    rows = []
    with RoomHost.start() as ours, LiveKitServer.start() as official:
        for name, make in clients().items():
            print(name, file=sys.stderr, flush=True)
            first = await play(ours, make, f"room {len(rows)}")
            second = await play(official, make, f"room {len(rows)}")
            cells = [first[one] if first[one] == second[one] else f"{first[one]} / {second[one]}" for one in COLUMNS]
            rows.append(f"| {name} | {' | '.join(cells)} |")
    print("| client | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    print("\n".join(rows))


if __name__ == "__main__":
    asyncio.run(main())
