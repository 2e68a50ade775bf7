"""Ports of this machine's, from which datagrams go to any address and come from any: what WebRTC needs.

A port is bound to the address from which there is a way to somebody, so that it is an address that others can know us
by.  Everything here belongs to the net's thread, and nothing of it waits.
"""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.inputs import PortClosed, PortOpened
from dcl_comms_drivers.net.websocket import turn_bytes
from dcl_comms_drivers.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import OpenPort, SendDatagrams
    from dcl_comms_core.inputs import LinkRef, PortInput
    from dcl_comms_core.limits import Limits
    from dcl_comms_drivers.loops.network import Net, Stream, Task
    from dcl_comms_drivers.net.datagrams import DatagramCounts

__all__ = ["CallingPort", "Port", "PortInbox"]

_BUFFER_BYTES: Final = 1_048_576
"""What the system may keep of what came and was not read yet: a full window of a fast sender."""
_LENGTH: Final = 2
"""Bytes of a datagram's length."""
_NO_ROOM: Final = 3
"""So often in a row the system may refuse a batch's datagrams before the rest of it is let go."""


class PortInbox(Protocol):
    """Where a port delivers, in the net's thread."""

    counts: DatagramCounts

    def deliver(self, inp: PortInput) -> None:
        """Take an input."""
        ...

    def deliver_from(self, ref: LinkRef, remote: tuple[str, int], datagrams: list[bytes]) -> None:
        """Take datagrams of one address."""
        ...

    def burst(self, work: Callable[[], None]) -> None:
        """Do something that delivers; what it delivered is handled at once, if this is the loop's own thread."""
        ...

    def crashed(self, error: Exception) -> None:
        """Take a bug of ours."""
        ...


class Port:
    """From OpenPort to ClosePort, or to PortClosed.  ``inbox`` gets what comes of it."""

    def __init__(self, net: Net, command: OpenPort, inbox: PortInbox, limits: Limits) -> None:
        self._net = net
        self._ref = command.link
        self._towards = command.towards
        self._inbox = inbox
        self._most = limits.datagram_bytes
        self._turn_inputs = limits.turn_inputs
        self._turn_bytes = turn_bytes(limits)
        self._overhead = limits.inbox_overhead
        self._socket: socket.socket | None = None
        self._watch: Task | None = None
        self._pieces: Pieces | None = None

    def start(self) -> bool:
        """Bind it, and tell.  False: it can't be had, which is told too."""
        try:
            self._socket = _bound(self._towards)
        except OSError as error:
            self._inbox.deliver(PortClosed(link=self._ref, detail=os.strerror(error.errno or 0)))
            return False
        self._pieces = Pieces(self._socket)
        self._watch = self._net.watch(self._socket.fileno(), self._readable)
        host, number = self._socket.getsockname()[:2]
        self._inbox.deliver(PortOpened(link=self._ref, local=(host, number)))
        return True

    def send(self, command: SendDatagrams) -> None:
        """Send datagrams, or let them go."""
        pieces, datagrams = self._pieces, command.datagrams
        if pieces is None:
            return
        refused = done = 0
        while done < len(datagrams):
            count, error = pieces.send(datagrams, done, command.to)
            done += count
            if error is not None:
                # A full buffer, no way there now, or what became of an earlier one: WebRTC sends again what matters.
                self._inbox.counts.not_sent += count
                refused += 1
                if refused == _NO_ROOM:
                    self._inbox.counts.not_sent += len(datagrams) - done
                    return

    def close(self) -> None:
        """Give it back."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._socket is not None:
            self._socket.close()
            self._socket = self._pieces = None

    def _readable(self) -> None:
        try:
            self._inbox.burst(self._take_in)
        except Exception as error:  # noqa: BLE001 - raised to whoever drains the link
            self._inbox.crashed(error)

    def _take_in(self) -> None:
        """Take what there is, as much as one turn may take, those of one address together."""
        here, size = self._socket, 0
        if here is None:
            return  # closed in the same round of the loop
        most = self._most
        last: tuple[str, int] | None = None
        batch: list[bytes] = []
        for _ in range(self._turn_inputs):
            try:
                datagram, sender = here.recvfrom(most + 1)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP message: whoever is silent is noticed by WebRTC
            size += len(datagram) + self._overhead
            if len(datagram) > most:
                self._inbox.counts.too_long += 1
            else:
                remote = sender[:2]
                if remote != last:
                    if last is not None:
                        self._inbox.deliver_from(self._ref, last, batch)
                    last, batch = remote, []
                batch.append(datagram)
            if size >= self._turn_bytes:
                break
        if last is not None:
            self._inbox.deliver_from(self._ref, last, batch)


class CallingPort:
    """The same over TCP: connected to one address, each datagram behind its length (RFC 4571).

    Of what waits to be sent no more than a buffer's bytes is kept: WebRTC sends again what matters.
    """

    def __init__(self, net: Net, command: OpenPort, inbox: PortInbox, limits: Limits) -> None:
        self._net = net
        self._ref = command.link
        self._towards = command.towards
        self._inbox = inbox
        self._seconds = limits.dial_seconds
        self._stream: Stream | None = None
        self._waiting = bytearray()
        self._written = net.signal()
        self._read = bytearray()
        self._tasks: list[Task] = []

    def start(self) -> bool:
        """Begin to connect; what comes of it is told."""
        self._tasks.append(self._net.spawn(self._run))
        return True

    def send(self, command: SendDatagrams) -> None:
        """Send datagrams, or let them go."""
        for datagram in command.datagrams:
            if self._stream is None or len(self._waiting) + len(datagram) > _BUFFER_BYTES:
                self._inbox.counts.not_sent += 1
            else:
                self._waiting += len(datagram).to_bytes(_LENGTH, "big") + datagram
        self._written.notify()

    def close(self) -> None:
        """Give it back."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if self._stream is not None:
            self._stream.abort()
            self._stream = None

    async def _run(self) -> None:
        host, port = self._towards
        try:
            async with self._net.limit(self._seconds):
                stream = await self._net.dial(host, port, tls=None, host=host)
            # Whoever calls has a candidate without a port of its own: 9 stands there (RFC 6544).
            local = (_local_address(self._towards), 9)
        except (OSError, TimeoutError) as error:
            self._inbox.deliver(PortClosed(link=self._ref, detail=str(error) or "no answer in time"))
            return
        self._stream = stream
        self._tasks.append(self._net.spawn(self._write))
        self._inbox.deliver(PortOpened(link=self._ref, local=local))
        try:
            await stream.listen(self._arrived)
            detail = "the server hung up"
        except OSError as error:
            detail = os.strerror(error.errno or 0)
        except Exception as error:  # noqa: BLE001 - raised to whoever drains the link
            self._inbox.crashed(error)
            return
        self._inbox.deliver(PortClosed(link=self._ref, detail=detail))

    async def _write(self) -> None:
        while (stream := self._stream) is not None:
            if not self._waiting:
                await self._written.wait()
                continue
            data, self._waiting = bytes(self._waiting), bytearray()
            try:
                await stream.send(data)
            except OSError:
                return  # whoever listens says so

    def _arrived(self, data: bytes) -> bool:
        """Take what came; True: go on."""
        read = self._read
        read += data
        datagrams: list[bytes] = []
        begin = 0
        while len(read) >= begin + _LENGTH:
            end = begin + _LENGTH + int.from_bytes(read[begin : begin + _LENGTH], "big")
            if end > len(read):
                break
            datagrams.append(bytes(read[begin + _LENGTH : end]))
            begin = end
        del read[:begin]
        if datagrams:
            self._inbox.burst(partial(self._inbox.deliver_from, self._ref, self._towards, datagrams))
        return True


def _local_address(towards: tuple[str, int]) -> str:
    """The address of ours from which there is a way there.  OSError: there is none."""
    with socket.socket(socket.AF_INET6 if ":" in towards[0] else socket.AF_INET, socket.SOCK_DGRAM) as asked:
        # Nothing is sent by this.
        asked.connect(towards)
        host: str = asked.getsockname()[0]
        return host


def _bound(towards: tuple[str, int]) -> socket.socket:
    """A port at the address from which there is a way there.  OSError: there is none."""
    family = socket.AF_INET6 if ":" in towards[0] else socket.AF_INET
    host = _local_address(towards)
    port = socket.socket(family, socket.SOCK_DGRAM)
    try:
        port.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            port.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        port.bind((host, 0))
    except OSError:
        port.close()
        raise
    return port
