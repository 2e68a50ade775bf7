"""Datagrams (UDP) between here and one address: a connected socket that any loop watches, without a thread.

There is no handshake, so nothing says at first whether anybody listens.  The addresses of a host are tried in turn: the
next one when the network refuses the one before, be it at once or by an ICMP message, as long as nothing came from
there; the last datagram is sent again to it.  Once all of them refused, that is told, and it begins anew with the
first.  Of addresses that say nothing at all, the next one is tried when datagrams to this host are opened again.

Everything here belongs to the net's thread, and nothing of it waits.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.adapters.url_guard import Target
from dcl_comms_core.errors import RequestFailed, TargetRefused
from dcl_comms_core.inputs import DatagramRefused, DatagramsClosed, DatagramsOpened
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.net.dial import allowed_addresses
from dcl_comms_drivers.net.websocket import turn_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import OpenDatagrams, SendDatagram
    from dcl_comms_core.inputs import Input, LinkRef
    from dcl_comms_drivers.loops.network import Net, Task
    from dcl_comms_drivers.net.dial import NetOptions

__all__ = ["DatagramCounts", "DatagramInbox", "Datagrams", "SilentHosts"]

_BUFFER_BYTES: Final = 262_144
"""What the system may keep of what came and was not read yet: as ENet's own library asks for."""
_LOST: Final = frozenset({errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN})
"""The datagram does not go; the next one may."""
_REFUSED: Final = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ENONET", "ENOPROTOOPT", "EOPNOTSUPP",
        "EPROTO", "EACCES", "EPERM",
    )
    if hasattr(errno, name)  # not every system has all
)  # fmt: skip
"""What ICMP messages come out as, which anybody may send, and what this machine's own rules do."""
_SILENT_HOSTS: Final = 64


@dataclass(slots=True)
class DatagramCounts:
    """What was let go by a link.  It only grows."""

    not_sent: int = 0
    """Datagrams of ours that the system did not take: its buffer was full, or they are larger than it sends."""
    too_long: int = 0
    """Datagrams that came and are longer than Limits.datagram_bytes."""
    no_room: int = 0
    """Datagrams that came while half of Limits.inbox_bytes waited: PacketsDropped tells them too."""


class SilentHosts:
    """At which address of a host nothing was heard the last time.  The oldest are forgotten."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, int], str] = {}

    def note(self, target: Target, address: str, *, heard: bool) -> None:
        """It is over with this address."""
        key = target.host, target.port
        self._addresses.pop(key, None)
        if not heard:
            self._addresses[key] = address
            if len(self._addresses) > _SILENT_HOSTS:
                del self._addresses[next(iter(self._addresses))]

    def in_turn(self, target: Target, addresses: list[str]) -> list[str]:
        """The addresses, beginning with the one after that which was silent."""
        silent = self._addresses.get((target.host, target.port))
        if silent not in addresses:
            return addresses
        first = addresses.index(silent) + 1
        return addresses[first:] + addresses[:first]


class DatagramInbox(Protocol):
    """Where datagrams are delivered, in the net's thread; as ``SocketInbox``."""

    counts: DatagramCounts
    silent: SilentHosts

    def deliver(self, inp: Input) -> None:
        """Take an input."""
        ...

    def deliver_datagrams(self, ref: LinkRef, datagrams: list[bytes]) -> None:
        """Take datagrams, of which there may be many."""
        ...

    def burst(self, work: Callable[[], None]) -> None:
        """Do something that delivers; what it delivered is handled at once, if this is the loop's own thread."""
        ...

    def crashed(self, error: Exception) -> None:
        """Take a bug of ours."""
        ...


class Datagrams:
    """From OpenDatagrams to DatagramsClosed.  ``inbox`` gets what comes of it, DatagramsClosed last and once."""

    def __init__(self, net: Net, command: OpenDatagrams, inbox: DatagramInbox, options: NetOptions) -> None:
        self._net = net
        self._ref: LinkRef = command.link
        self._command = command
        self._inbox = inbox
        self._counts = inbox.counts
        # Datagrams have no form that is encrypted: who asks for them asks for that.
        self._options = replace(options, plain=True)
        limits = options.limits
        self._most = limits.datagram_bytes
        self._turn_inputs = limits.turn_inputs
        self._turn_bytes = turn_bytes(limits)
        self._overhead = limits.inbox_overhead
        self._ended = net.signal()
        self._end: DatagramsClosed | None = None
        self._over = False
        self._target: Target | None = None
        self._addresses: list[str] = []
        self._left: list[str] = []
        """Addresses that are still to be tried in this round."""
        self._address = ""
        self._socket: socket.socket | None = None
        self._watch: Task | None = None
        self._heard = False
        """Whether anything came from there."""
        self._last: bytes | None = None
        """The last datagram to where nothing was heard yet, for the next address."""
        self._refusal = ""
        """What the network said in this burst, to be told once."""
        self._task: Task | None = None

    def start(self) -> None:
        """Begin to look for the address."""
        self._task = self._net.spawn(self._run)

    def send(self, command: SendDatagram) -> None:
        """Send a datagram, or let it go."""
        if self._socket is None or self._end is not None:
            return
        data = command.data
        if not self._heard:
            self._last = data
        # The system tells what became of an earlier one in place of sending this one: then this one is tried again.
        for _ in range(2):
            here = self._socket
            try:
                here.send(data)
            except OSError as error:
                if error.errno in _LOST:
                    self._counts.not_sent += 1
                    break
                self._failed(error)
                if self._socket is not here or self._end is not None:
                    break  # the next address has it already
            else:
                break
        self._tell_refusal()

    def close(self) -> None:
        """Close it, or give it up while it is opening."""
        if not self._over:
            self.abandon()
            self._inbox.deliver(DatagramsClosed(link=self._ref, reason=CloseReason.CLIENT))

    def abandon(self) -> None:
        """Let go of it now; nothing is delivered any more, unless it was before."""
        self._over = True
        self._let_go()
        if self._task is not None:
            self._task.cancel()

    # --- the task

    async def _run(self) -> None:
        try:
            end = await self._live()
        except TargetRefused as error:
            end = self._closed(CloseReason.FORBIDDEN, str(error))
        except RequestFailed as error:
            end = self._closed(error.reason, error.detail)
        except TimeoutError:
            end = self._closed(CloseReason.TIMEOUT, "the host's name was not resolved in time")
        except Exception as error:  # noqa: BLE001 - raised to whoever drains the link
            self._inbox.crashed(error)
            return
        finally:
            # A loop that ends cancels this task: then nobody else closes the socket.
            self._let_go()
        if not self._over:
            self._over = True
            self._inbox.deliver(end)

    async def _live(self) -> DatagramsClosed:
        command, options = self._command, self._options
        target = self._target = Target.of_datagrams(command.host, command.port)
        async with self._net.limit(options.limits.connect_seconds):
            found = await allowed_addresses(self._net, target, within=command.within, options=options)
        self._addresses = self._inbox.silent.in_turn(target, [address for address, _ in found])
        if not self._begin_round():
            return self._closed(CloseReason.UNREACHABLE, "no way leads to any address of the host")
        self._inbox.deliver(DatagramsOpened(link=self._ref))
        while self._end is None:
            await self._ended.wait()
        return self._end

    def _closed(self, reason: CloseReason, detail: str) -> DatagramsClosed:
        return DatagramsClosed(link=self._ref, reason=reason, detail=detail)

    # --- addresses

    def _begin_round(self) -> bool:
        self._left = self._addresses.copy()
        return self._try_next()

    def _try_next(self) -> bool:
        """Go to the next address that there is a way to.  False: there is none left; all stays as it is."""
        while self._left:
            address = self._left.pop(0)
            new = self._connected(address)
            if new is not None:
                self._let_go()
                self._address = address
                self._socket = new
                self._watch = self._net.watch(new.fileno(), self._readable)
                return True
        return False

    def _connected(self, address: str) -> socket.socket | None:
        assert self._target is not None  # noqa: S101 - the addresses are its
        try:
            new = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        except OSError:
            return None  # this machine has nothing of this kind
        try:
            new.setblocking(False)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            new.connect((address, self._target.port))
        except OSError:
            new.close()
            return None
        return new

    def _let_go(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            assert self._target is not None  # noqa: S101 - the socket goes there
            if self._heard or self._last is not None:
                self._inbox.silent.note(self._target, self._address, heard=self._heard)

    # --- what comes

    def _readable(self) -> None:
        try:
            self._inbox.burst(self._take_in)
        except Exception as error:  # noqa: BLE001 - raised to whoever drains the link
            self._inbox.crashed(error)

    def _take_in(self) -> None:
        """Take what there is, as much as one turn may take."""
        here, most, size = self._socket, self._most, 0
        if here is None:
            return  # let go of in the same round of the loop
        datagrams: list[bytes] = []
        for _ in range(self._turn_inputs):
            try:
                data = here.recv(most + 1)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in _LOST:
                    self._failed(error)
                if self._socket is not here or self._end is not None:
                    break
                continue
            size += len(data) + self._overhead
            if len(data) > most:
                self._counts.too_long += 1
            else:
                datagrams.append(data)
            if size >= self._turn_bytes:
                break
        if datagrams:
            self._heard = True
            self._last = None
            self._inbox.deliver_datagrams(self._ref, datagrams)
        self._tell_refusal()

    # --- what fails

    def _failed(self, error: OSError) -> None:
        if error.errno not in _REFUSED:
            self._end = self._closed(CloseReason.NETWORK, _words(error))
            self._ended.notify()
        elif self._heard or len(self._addresses) == 1:
            self._refusal = _words(error)
        elif self._try_next():
            if self._last is not None:
                self._send_again(self._last)
        else:
            self._refusal = _words(error)
            self._begin_round()

    def _send_again(self, data: bytes) -> None:
        assert self._socket is not None  # noqa: S101 - it was connected right now
        try:
            self._socket.send(data)
        except OSError as error:
            if error.errno in _LOST:
                self._counts.not_sent += 1
            else:
                self._failed(error)

    def _tell_refusal(self) -> None:
        detail, self._refusal = self._refusal, ""
        if detail:
            self._inbox.deliver(DatagramRefused(link=self._ref, detail=detail))


def _words(error: OSError) -> str:
    """The system's words, which name no address."""
    return os.strerror(error.errno or 0)
