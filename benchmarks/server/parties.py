"""Both servers, each in processes of its own, and what they take of the machine; and the crowds that join them."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from dcl_comms_drivers.realm.mint import mint_token
from pairs import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
OURS, OFFICIAL = "ours", "livekit-server"


class Server:
    """A server that runs: where it is, and its process."""

    def __init__(self, kind: str, url: str, pid: int, key: str, secret: str) -> None:
        self.kind = kind
        self.url = url
        self._process = Path(f"/proc/{pid}")
        self._key = key
        self._secret = secret

    def token(self, identity: str, room: str) -> str:
        return mint_token(self._key, self._secret, identity, room, ttl=3_600)

    def cpu(self) -> float:
        """Seconds of all its threads, user's and system's."""
        fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident(self) -> float:
        """MB."""
        return int((self._process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def ours() -> Iterator[Server]:
    """A RoomHost, in a process of its own."""
    process = Process(OURS, [sys.executable, "-W", "ignore", str(HERE / "host.py")], "{}", {})
    said = process.connected
    try:
        yield Server(OURS, str(said["url"]), process.pid, str(said["key"]), str(said["secret"]))
    finally:
        process.close()


@contextmanager
def official() -> Iterator[Server]:
    """A livekit-server."""
    with LiveKitServer.start(build=True) as server:
        yield Server(OFFICIAL, server.url, server.pid, server.key, server.secret)


SERVERS = {OURS: ours, OFFICIAL: official}


class Crowd:
    """Clients of one server in a process of their own: so many rooms of so many."""

    def __init__(self, server: Server, name: str, rooms: int, members: int) -> None:
        self._server = server
        tokens = [
            [server.token(f"0x{room:020x}{who:020x}", f"{name}-{room}") for who in range(members)]
            for room in range(rooms)
        ]
        command = [sys.executable, "-W", "ignore", str(HERE / "crowd.py"), server.url]
        self._process = Process(name, command, json.dumps(tokens), {})

    def begin(self, do: str, **order: object) -> None:
        """Have it do something."""
        self._before = self._server.cpu()
        self._process.tell(do=do, **order)

    def end(self) -> dict[str, float]:
        """What came of it, with the seconds of the processor that the server had meanwhile."""
        found = self._process.hear()
        return {**found, "server": self._server.cpu() - self._before}

    def do(self, what: str, **order: object) -> dict[str, float]:
        """Both."""
        self.begin(what, **order)
        return self.end()

    def close(self) -> None:
        self._process.close()


@contextmanager
def crowd(server: Server, name: str, *, rooms: int = 1, members: int = 2) -> Iterator[Crowd]:
    """A crowd that is gone afterwards."""
    found = Crowd(server, name, rooms, members)
    try:
        yield found
    finally:
        found.close()
