"""A participant of a LiveKit room that does no more than it must: an engine, a port, a WebSocket, and counters.

It joins by one peer connection, of any server of LiveKit's protocol; that costs less than any client, so that rates are the server's.
Datagrams go out one by one, as those of browsers and of the official engines do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import deque
from typing import Final

import websockets
from dcl_comms_rtc import Peer

from dcl_comms_core import parse_connection_string
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.livekit.candidates import without_candidates
from dcl_comms_core.livekit.envelope import envelope
from dcl_comms_core.livekit.labels import CHANNELS, LOSSY, RELIABLE
from dcl_comms_core.livekit.urls import join_url
from dcl_comms_core.proto import livekit

BUFFER: Final = 1 << 20
"""Bytes that the system is asked to keep."""
AT_ONCE: Final = 64
"""As many messages go to the engine with one call, and datagrams come with one."""
LONGEST: Final = 65_536
STAMP: Final = b"stamp"


def payload(size: int) -> bytes:
    """So many bytes that end with this moment."""
    return bytes(max(size - len(STAMP) - 8, 0)) + STAMP + time.monotonic_ns().to_bytes(8, "big")


class Member:
    """One of them, on the loop that runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self._socket.bind(("127.0.0.1", 0))
        self._local = self._socket.getsockname()
        self._peer = Peer(self._loop.time())
        self._peer.add_local(self._local)
        self._channels: dict[str, int] = {}
        self._open: set[int] = set()
        self._ready = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._sequence = 0
        self._listening: asyncio.Task[None] | None = None
        self.received = 0
        """Messages that came."""
        self.late: list[float] | None = None
        """Seconds that each took, where that is asked for."""
        self.told = lambda: None
        """Called when some have come."""

    async def join(self, url: str, token: str) -> None:
        """Be in the room, with both channels open."""
        sdp, numbers = self._peer.offer(CHANNELS)
        self._channels = dict(zip((RELIABLE, LOSSY), numbers, strict=True))
        request = livekit.JoinRequest(
            client_info=livekit.ClientInfo(protocol=17),
            connection_settings=livekit.ConnectionSettings(auto_subscribe=True),
            publisher_offer=livekit.SessionDescription(type="offer", sdp=sdp, id=1),
        )
        adapter = parse_connection_string(f"livekit:{url}?access_token={token}")
        self._web = await websockets.connect(join_url(adapter, token, request), compression=None, ping_interval=None)
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._listening = asyncio.create_task(self._listen())
        async with asyncio.timeout(30):
            await self._ready.wait()

    async def leave(self) -> None:
        """Be gone."""
        assert self._listening is not None
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._web.send(encode(livekit.SignalRequest(leave=livekit.LeaveRequest(reason=1))))
            await self._web.close()
        self._listening.cancel()
        self._loop.remove_reader(self._socket.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()

    async def _listen(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for frame in self._web:
                response = decode_message(livekit.SignalResponse, frame)
                if response.answer is not None:
                    answer, lines = without_candidates(response.answer.sdp)
                    self._peer.accept_answer(answer)
                    for line in lines:
                        self._reach(line.removeprefix("a="))
                elif response.trickle is not None:
                    self._reach(json.loads(response.trickle.candidate_init)["candidate"])

    def _reach(self, line: str) -> None:
        if " udp " in line:
            self._peer.add_remote(line)
            self._carry(self._peer.handle_timeout(self._loop.time()))

    # --- packets

    def put(self, data: bytes, *, reliable: bool = True) -> None:
        """Have a packet go to everybody, once :meth:`flush` is called."""
        if reliable:
            self._sequence += 1
        message = envelope(data, self._sequence if reliable else 0)
        self._waiting.append((self._channels[RELIABLE if reliable else LOSSY], message))

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        waiting = self._waiting
        while waiting:
            some = [waiting[place] for place in range(min(AT_ONCE, len(waiting)))]
            sent, output = self._peer.send(some, self._loop.time())
            for _ in range(sent):
                waiting.popleft()
            self._carry(output)
            if sent < len(some):
                return

    @property
    def waiting(self) -> int:
        """How many packets the engine has no room for."""
        return len(self._waiting)

    # --- datagrams

    def _readable(self) -> None:
        datagrams: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(AT_ONCE):
                datagram, remote = self._socket.recvfrom(LONGEST)
                datagrams.append(datagram)
        if datagrams:
            self._carry(self._peer.receive(datagrams, remote, self._local, self._loop.time()))
            if self._waiting:
                self.flush()

    def _on_time(self) -> None:
        self._carry(self._peer.handle_timeout(self._loop.time()))
        if self._waiting:
            self.flush()

    def _carry(self, output) -> None:
        datagrams, happenings, deadline = output
        for (_, _, remote), datagram in datagrams:
            # What the system does not take is sent again by the engine.
            with contextlib.suppress(BlockingIOError):
                self._socket.sendto(datagram, remote)
        before = self.received
        for kind, channel, detail in happenings:
            if kind == "data":
                self.received += 1
                if self.late is not None:
                    self._time(detail)
            elif kind == "open":
                self._open.add(channel)
                if len(self._open) == len(CHANNELS):
                    self._ready.set()
        if self.received != before:
            self.told()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._on_time)

    def _time(self, message: bytes) -> None:
        at = message.rfind(STAMP) + len(STAMP)
        self.late.append((time.monotonic_ns() - int.from_bytes(message[at : at + 8], "big")) / 1e9)
