"""A private LiveKit server of our own for packets: loopback only, keys of its own, in this process.

    with RoomHost.start() as server:
        target = server.connection_string("0xalice", "plaza")

WebSockets and HTTP have one TCP port, datagrams one UDP port.  It needs ``dcl_comms_rtc`` and the extra ``realm``; the
machine behind it is :class:`~dcl_comms_core.servers.livekit.server.RoomServer`.  :class:`RoomHost` has a thread with a
loop of its own, and verbs like LiveKitServer's, which wait; :class:`RoomPorts` serves on the asyncio loop that runs.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

from dcl_comms_core.commands import SendDatagrams
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import DatagramsReceived
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.servers.livekit.server import PORT, RoomServer
from dcl_comms_drivers.realm.livekit_binary import ServerProblem, ServerUnavailable
from dcl_comms_drivers.realm.mint import mint_admin_token
from dcl_comms_drivers.realm.room_service import RoomService
from dcl_comms_drivers.realm.udp import UdpHost
from dcl_comms_drivers.realm.web import HOST, Manner, Web

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterator, Mapping

    from dcl_comms_core.inputs import ClockSet, FrameReceived, LinkRef, SocketClosed
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import Address, NewPeer
    from dcl_comms_core.servers.livekit.pages import RoomPage
    from dcl_comms_core.servers.livekit.settings import RoomSettings
    from dcl_comms_drivers.realm.room_service import Answer

_T = TypeVar("_T")

__all__ = ["RoomHost", "RoomPorts", "has_rooms"]

_NORMAL: Final = 1000
_OK: Final = 200
_WAIT_SECONDS: Final = 30.0
_DATAGRAM_BYTES: Final = 1_280
"""As livekit-server's are: a packet of a kilobyte goes in one, with what a server says of its sender."""


def has_rooms() -> bool:
    """Whether there can be rooms of our own: whether ``dcl_comms_rtc`` is installed."""
    return find_spec("dcl_comms_rtc") is not None


class _Wire:
    """The server as the UDP port sees it: datagrams are gathered, and handed over once a turn."""

    def __init__(self, server: RoomServer) -> None:
        self._server = server
        self._came: dict[tuple[str, int], list[bytes]] = {}
        self.rest: list[object] = []
        """Commands for sockets."""

    def receive(self, datagram: bytes, address: Hashable, *, now: float) -> None:  # noqa: ARG002 - its turn has a time
        # Of IPv6 there is more in it.
        host, port, *_ = cast("tuple[str, int]", address)
        self._came.setdefault((host, port), []).append(datagram)

    def datagrams(self, *, now: float) -> Iterator[tuple[Address, bytes]]:
        came, self._came = self._came, {}
        for address, datagrams in came.items():
            self._server.receive(DatagramsReceived(link=PORT, remote=address, datagrams=datagrams), now=now)
        for command in self._server.commands():
            if isinstance(command, SendDatagrams):
                for datagram in command.datagrams:
                    yield command.to, datagram
            else:
                self.rest.append(command)

    def deadline(self) -> float | None:
        return self._server.deadline()

    def handle_timeout(self, now: float) -> None:
        self._server.handle_timeout(now)


class _Door:
    """The server as the port of HTTP sees it: the UDP port's turns carry everything out, and have its time."""

    def __init__(self, server: RoomServer, wire: _Wire) -> None:
        self._server = server
        self._wire = wire

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, now: float) -> RoomPage:
        return self._server.request(method, target, headers, body, now=now)

    def upgrade(self, link: LinkRef, target: str, headers: Mapping[str, str], *, now: float) -> RoomPage | None:
        return self._server.upgrade(link, target, headers, now=now)

    def receive(self, inp: ClockSet | FrameReceived | SocketClosed, *, now: float) -> None:
        self._server.receive(inp, now=now)

    def commands(self) -> list[object]:
        rest, self._wire.rest = self._wire.rest, []
        return rest

    def deadline(self) -> None:
        return None

    def handle_timeout(self, now: float) -> None:
        """Never called: it has no deadline."""
        raise NotImplementedError


class RoomPorts:
    """Both ports, on the asyncio loop that runs, and the server behind them.

    ``keys``: secrets by key; ``crashed`` gets a bug of ours; ``node_ip``: where clients are told to send datagrams,
    when something forwards that to loopback.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        crashed: Callable[[Exception], None],
        *,
        node_ip: str = HOST,
        settings: RoomSettings | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._keys = keys
        self._node_ip = node_ip
        self._settings = settings
        self._limits = limits
        manner = Manner(
            head_bytes=limits.server_head_bytes,
            frame_bytes=limits.server_signal_bytes,
            queue_bytes=limits.server_signal_queue_bytes,
            close_code=_NORMAL,
            cuts=True,
        )
        self._web = Web(limits, None, crashed, manner=manner, moved=self.turn)
        self._udp = UdpHost(limits, crashed, self._web.turn)
        self._server: RoomServer | None = None

    @property
    def server(self) -> RoomServer:
        """The server; LocalProtocolError: it was not started."""
        if self._server is None:
            msg = "the rooms are not served: start() first"
            raise LocalProtocolError(msg)
        return self._server

    @property
    def port(self) -> int:
        """Of WebSockets and HTTP."""
        return self._web.port

    @property
    def udp_port(self) -> int:
        """Of datagrams."""
        return self._udp.port

    async def start(self, port: int = 0, udp_port: int = 0) -> None:
        """Listen; 0: at any port that is free.  OSError: it is taken.  ServerUnavailable: there is no engine."""
        new_peer = _new_peer()
        await self._web.bind(port)
        try:
            self._udp.bind(HOST, udp_port)
        except OSError:
            await self._web.stop()
            raise
        server = RoomServer(
            keys=self._keys,
            new_peer=new_peer,
            address=(self._node_ip, self._udp.port),
            entropy=secrets.randbits(64),
            settings=self._settings,
            limits=self._limits,
        )
        wire = _Wire(server)
        self._server = server
        await self._web.serve(_Door(server, wire))
        self._udp.serve(wire)

    def turn(self) -> None:
        """Carry out what is decided.  For whoever asked the server for something."""
        self._udp.turn()

    def now(self) -> float:
        """Seconds of the loop."""
        return self._udp.now()

    async def stop(self, *, tell: bool = True) -> None:
        """Listen no more.  ``tell``: whether participants are told; else it is as if it had crashed."""
        if tell and self._server is not None:
            self._server.close(now=self.now())
            self.turn()
        self._udp.stop()
        await self._web.stop()


class RoomHost(RoomService):
    """A running server in a thread of its own; made by :meth:`start`.

    ``url`` is its WebSocket address, ``udp_port`` takes the datagrams, ``key`` and ``secret`` sign its tokens.
    """

    def __init__(self, *, node_ip: str = HOST, settings: RoomSettings | None = None, limits: Limits) -> None:
        super().__init__()
        self._node_ip = node_ip
        self._settings = settings
        self._limits = limits
        self._crash: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ports: RoomPorts | None = None

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        udp_port: int = 0,
        node_ip: str = HOST,
        settings: RoomSettings | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Self:
        """Start a server and return it once it listens; 0: at any port that is free.

        ``node_ip`` is where clients are told to send datagrams, when something forwards that to loopback.  OSError: a
        port is taken.
        """
        server = cls(node_ip=node_ip, settings=settings, limits=limits)
        server.port, server.udp_port = port, udp_port
        server._launch()
        return server

    def __repr__(self) -> str:
        return f"<RoomHost {self.url}>"

    @property
    def alive(self) -> bool:
        """Whether it listens."""
        return self._ports is not None

    @property
    def lost(self) -> bool:
        """Whether a fault of ours ended it, and not ``stop()`` or ``kill()``."""
        return self._crash is not None

    def cut(self, room: str, identity: str) -> bool:
        """Close somebody's WebSocket without a word, as a network may: he may resume.  False: he has none."""
        return self.do(lambda server, now: server.cut(room, identity, now=now))

    def do(self, action: Callable[[RoomServer, float], _T]) -> _T:
        """Do something with the server, now, in its thread; what it returns."""

        async def act() -> _T:
            ports = self._ports
            assert ports is not None  # noqa: S101 - _wait has looked
            result = action(ports.server, ports.now())
            ports.turn()
            return result

        return self._wait(act())

    def ask(self, method: str, body: Mapping[str, object]) -> Answer:
        """Ask its API, without the way over its port."""
        token = mint_admin_token(self.key, self.secret, room=str(body.get("room", "")))
        headers = {"authorization": f"Bearer {token}"}
        target, content = f"/twirp/livekit.RoomService/{method}", json.dumps(body).encode()
        page = self.do(lambda server, now: server.request("POST", target, headers, content, now=now))
        answer = json.loads(page.body)
        if page.status != _OK:
            raise ServerUnavailable(ServerProblem.REFUSED, f"{method}: {answer['msg']}")
        return cast("Answer", answer)

    # -- its life

    def kill(self) -> None:
        """End it at once, as a crash would: nobody is told."""
        self._end(tell=False)

    def restart(self) -> None:
        """Start a server with the same ports and keys, after ``kill()`` or instead of the running one."""
        self.kill()
        self._launch()

    def stop(self) -> None:
        """End it; participants are told.  May be repeated."""
        self._end(tell=True)

    def _launch(self) -> None:
        ready: list[BaseException | None] = []
        told = threading.Event()

        async def live() -> None:
            ports = RoomPorts(
                {self.key: self.secret},
                self._crashed,
                node_ip=self._node_ip,
                settings=self._settings,
                limits=self._limits,
            )
            await ports.start(self.port, self.udp_port)
            self.port, self.udp_port = ports.port, ports.udp_port
            self._ports = ports

        def run() -> None:
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(live())
            except BaseException as error:  # noqa: BLE001 - raised to who waits for the thread
                ready.append(error)
            else:
                self._loop = loop
            told.set()
            if self._loop is loop:
                loop.run_forever()
            loop.close()

        self._thread = threading.Thread(target=run, name="dcl-comms rooms", daemon=True)
        self._thread.start()
        told.wait()
        if ready:
            self._thread.join()
            raise cast("BaseException", ready[0])

    def _end(self, *, tell: bool) -> None:
        loop, thread, ports = self._loop, self._thread, self._ports
        if loop is None or thread is None or ports is None:
            return
        self._ports = self._loop = None
        asyncio.run_coroutine_threadsafe(ports.stop(tell=tell), loop).result(_WAIT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def _wait(self, job: Coroutine[object, object, _T]) -> _T:
        crash, self._crash = self._crash, None
        loop = self._loop
        if crash is not None or loop is None:
            job.close()
            raise crash or ServerUnavailable(ServerProblem.REFUSED, "it is down: restart() first")
        return asyncio.run_coroutine_threadsafe(job, loop).result(_WAIT_SECONDS)

    def _crashed(self, error: Exception) -> None:
        self._crash = self._crash or error


def _new_peer() -> NewPeer:
    try:
        from dcl_comms_rtc import Peer  # noqa: PLC0415 - a package of its own, which not everybody has
    except ImportError as error:
        raise ServerUnavailable(ServerProblem.NOT_FOUND, "dcl_comms_rtc is not installed: make rtc") from error
    try:
        Peer(0.0, datagram_bytes=_DATAGRAM_BYTES)
    except TypeError as error:  # it is installed by itself, and may be older
        raise ServerUnavailable(ServerProblem.NOT_FOUND, "dcl_comms_rtc is older than this: make rtc") from error
    return partial(Peer, datagram_bytes=_DATAGRAM_BYTES)
