"""A UDP port on loopback and the machine behind it, on the running asyncio loop.

The machine decides; here are the socket, the time and bounds on how much is taken at once.  Nothing waits: what the
system does not take is let go and counted.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final, Protocol

from dcl_comms_drivers.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from dcl_comms_core.limits import Limits

__all__ = ["DatagramMachine", "UdpHost"]

_BUFFER_BYTES: Final = 1_048_576
"""What the system is asked to keep of what came and was not read yet, and of what goes out; it may keep less."""
_OVERHEAD: Final = 128
"""Bytes that a datagram counts beside its own."""


class DatagramMachine(Protocol):
    """What speaks over datagrams with many others: an EnetHost, or what stands on one."""

    def receive(self, datagram: bytes, address: Hashable, *, now: float) -> None:
        """Take a datagram.  It never raises for what is in it."""
        ...

    def datagrams(self, *, now: float) -> Iterable[tuple[Any, bytes]]:
        """Take what is to be sent, with the addresses."""
        ...

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due; None: nothing runs."""
        ...

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        ...


class UdpHost:
    """The port.  Addresses are the system's: a tuple with the host and the port first.

    ``crashed`` gets a bug of ours.  ``turned`` is called after each turn: for what the machine tells beside datagrams.
    What it makes the machine send goes out in the same turn.
    """

    def __init__(
        self, limits: Limits, crashed: Callable[[Exception], None], turned: Callable[[], None] | None = None
    ) -> None:
        self.port = 0
        self.not_sent = 0
        """Datagrams that the system did not take."""
        self.too_long = 0
        """Datagrams that came and were longer than Limits.datagram_bytes."""
        self._limits = limits
        self._crashed = crashed
        self._turned = turned
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._pieces: Pieces | None = None
        self._machine: DatagramMachine | None = None
        self._timer: asyncio.TimerHandle | None = None

    def bind(self, host: str, port: int) -> None:
        """Take a port, 0: any that is free; datagrams wait until :meth:`serve`.  OSError: it is taken."""
        taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            taken.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                taken.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            taken.bind((host, port))
        except BaseException:
            taken.close()
            raise
        self._socket, self._pieces = taken, Pieces(taken)
        self.port = taken.getsockname()[1]

    def serve(self, machine: DatagramMachine) -> None:
        """Have a machine hear and answer."""
        assert self._socket is not None  # noqa: S101 - bind() comes first
        self._machine = machine
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self.turn()

    def stop(self) -> None:
        """Free the port.  May be called again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = self._pieces = None

    def now(self) -> float:
        """Seconds of the loop."""
        return self._loop.time()

    def turn(self) -> None:
        """Send what the machine wants to, and come again when something is due.  For whoever used its verbs."""
        machine = self._machine
        if machine is None or self._socket is None:
            return
        self._send(machine)
        if self._turned is not None:
            self._turned()
            self._send(machine)
        if self._timer is not None:
            self._timer.cancel()
        due = machine.deadline()
        self._timer = None if due is None else self._loop.call_at(due, self._on_time)

    def _send(self, machine: DatagramMachine) -> None:
        to: Any = None
        batch: list[bytes] = []
        for address, data in machine.datagrams(now=self.now()):
            if address != to:
                self._send_to(to, batch)
                to, batch = address, []
            batch.append(data)
        self._send_to(to, batch)

    def _send_to(self, to: Any, batch: list[bytes]) -> None:
        done = 0
        # It may have been stopped meanwhile.
        while done < len(batch) and self._pieces is not None:
            count, error = self._pieces.send(batch, done, to)
            done += count
            if error is not None:
                self.not_sent += count

    def _readable(self) -> None:
        self._guarded(self._take_in)

    def _on_time(self) -> None:
        self._timer = None
        self._guarded(self._let_time_pass)

    def _guarded(self, step: Callable[[DatagramMachine], None]) -> None:
        assert self._machine is not None  # noqa: S101 - nothing is watched before serve()
        try:
            step(self._machine)
            self.turn()
        except Exception as error:  # noqa: BLE001 - raised to whoever uses the realm next
            self.stop()
            self._crashed(error)

    def _let_time_pass(self, machine: DatagramMachine) -> None:
        machine.handle_timeout(self.now())

    def _take_in(self, machine: DatagramMachine) -> None:
        """Take what there is, as much as one turn may take."""
        most, left, now = self._limits.datagram_bytes, self._limits.turn_bytes, self.now()
        for _ in range(self._limits.turn_inputs):
            if self._socket is None or left <= 0:
                return
            try:
                data, address = self._socket.recvfrom(most + 1)
            except BlockingIOError:
                return
            except OSError:
                continue  # what the network says of one that we sent
            left -= len(data) + _OVERHEAD
            if len(data) > most:
                self.too_long += 1
            else:
                machine.receive(data, address, now=now)
