"""The link that carries out the core's network commands: WebSockets, HTTP and datagrams, any number of each at once.

It works in the net's thread, which is the loop's own on asyncio and trio, and one in the background for programs
without a loop.  What comes of it waits in an inbox that ``drain`` empties.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from dcl_comms_core.commands import (
    CancelFetch,
    CloseDatagrams,
    ClosePort,
    CloseSocket,
    Fetch,
    OpenDatagrams,
    OpenPort,
    OpenSocket,
    SendDatagram,
    SendDatagrams,
    SendFrame,
)
from dcl_comms_core.errors import LocalProtocolError, RequestFailed, TargetRefused
from dcl_comms_core.inputs import (
    DatagramReceived,
    DatagramRefused,
    DatagramsClosed,
    DatagramsReceived,
    Fetched,
    FetchFailed,
    FrameReceived,
    PacketsDropped,
    PortInput,
    SocketClosed,
)
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.loops.mailbox import Mailbox
from dcl_comms_drivers.loops.network import Direct
from dcl_comms_drivers.net.datagrams import DatagramCounts, Datagrams, SilentHosts
from dcl_comms_drivers.net.dial import NetOptions
from dcl_comms_drivers.net.http import fetch
from dcl_comms_drivers.net.ports import CallingPort, Port
from dcl_comms_drivers.net.websocket import Socket, turn_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.inputs import Input, LinkRef
    from dcl_comms_drivers.loops.host import Listener
    from dcl_comms_drivers.loops.network import Net, Runner, Task

__all__ = ["NetLink", "PortListener"]

_ANSWERS: Final = (Fetched, FetchFailed)
_WITH_DATA: Final = (FrameReceived, DatagramReceived)


class PortListener(Protocol):
    """Where what comes of ports is delivered."""

    def receive(self, inp: PortInput, *, now: float) -> None:
        """Take one input."""
        ...


class NetLink:
    """Carries out the commands about WebSockets, requests and datagrams; ignores other commands.

    ``runner`` calls into the net's thread.  ``wake`` is called, from that thread, when ``drain`` has something to
    deliver.  ``turn`` does at once what ``wake`` has done soon: what a socket's task read is handled while it is there,
    where it runs in the loop's own thread.
    """

    name: ClassVar[str] = "net"

    def __init__(
        self,
        wake: Callable[[], None],
        runner: Runner,
        options: NetOptions | None = None,
        turn: Callable[[], None] | None = None,
    ) -> None:
        self._options = options or NetOptions()
        self._runner = runner
        runner.at_exit(self._let_go)
        self._wake = wake
        self._turn = turn if isinstance(runner, Direct) else None
        self.aside: Listener | None = None
        """Who gets the answers to requests that are not the session's: those whose link is below 0."""
        self.at_ports: PortListener | None = None
        """Who gets what comes of ports: whoever asks for some."""
        self._bursting = False
        self._inbox: Mailbox[Input | PortInput] = Mailbox(self._woken, _forget)
        limits = self._options.limits
        self._inbox_bytes = limits.inbox_bytes
        self._mark = limits.inbox_bytes // 2
        """Sockets read no further once more than this waits, until it is half; the rest is for what they had read."""
        self._overhead = limits.inbox_overhead
        self._turn_bytes = turn_bytes(limits)
        self._turn_seconds = limits.turn_seconds
        self._put_bytes = 0
        self._got_bytes = 0
        self._held = False
        """Whether a socket waits for room."""
        self._behind = False
        """Whether the last turn left something to the next one, which is due."""
        self._untold: Counter[LinkRef] = Counter()
        """Messages that had no room; 0: its socket was held."""
        self._lock = threading.Lock()
        self._crash: Exception | None = None
        self._abandoned = False
        # These belong to the net's thread.
        self._sockets: dict[LinkRef, Socket] = {}
        self._requests: dict[LinkRef, Task] = {}
        self._datagrams: dict[LinkRef, Datagrams] = {}
        self._ports: dict[LinkRef, Port | CallingPort] = {}
        self._parting: set[Socket] = set()
        """Those that were given up, and wait for their server to say the last word."""
        self._when_parted: list[Callable[[], None]] = []
        self.silent = SilentHosts()
        self.counts = DatagramCounts()
        """Datagrams that were let go."""

    def execute(self, command: Command | PortCommand, *, now: float) -> None:  # noqa: C901, PLR0912 - one flat dispatch
        """Carry a command out; what comes of it arrives through ``drain``."""
        del now
        if self._abandoned:
            return
        match command:
            case SendFrame() if self._turn is not None:
                self._send(command)
            case SendFrame():
                self._in_net(partial(self._send, command))
            case SendDatagram() if self._turn is not None:
                self._send_datagram(command)
            case SendDatagram():
                self._in_net(partial(self._send_datagram, command))
            case SendDatagrams() if self._turn is not None:
                self._send_from(command)
            case SendDatagrams():
                self._in_net(partial(self._send_from, command))
            case OpenPort():
                self._in_net(partial(self._open_port, command))
            case ClosePort():
                self._in_net(partial(self._close_port, command))
            case OpenDatagrams():
                self._in_net(partial(self._open_datagrams, command))
            case CloseDatagrams():
                self._in_net(partial(self._close_datagrams, command))
            case OpenSocket():
                self._in_net(partial(self._open, command))
            case CloseSocket():
                self._in_net(partial(self._close, command))
            case Fetch():
                self._in_net(partial(self._fetch, command))
            case CancelFetch():
                self._in_net(partial(self._cancel, command))
            case _:
                return  # for a link of another kind

    def drain(self, session: Listener, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs.  True: more are waiting."""
        if self._crash is not None:
            raise self._crash
        self._inbox.begin()
        if self._untold:
            self._tell_untold(session, now)
        until = self._got_bytes + self._turn_bytes
        # Some kinds of messages cost far more than their bytes: a crowded island's, a welcome's.
        in_time = time.monotonic() + self._turn_seconds
        for _ in range(limit):
            inp = self._inbox.get()
            if inp is None:
                break
            self._got_bytes += self._room_of(inp)
            if isinstance(inp, PortInput):
                if self.at_ports is not None:
                    self.at_ports.receive(inp, now=now)
            elif isinstance(inp, _ANSWERS) and self.aside is not None and inp.link.link < 0:
                self.aside.receive(inp, now=now)
            else:
                session.receive(inp, now=now)
            if self._got_bytes >= until or time.monotonic() >= in_time:
                break
        if self._held and self._waiting <= self._mark // 2 and not self._abandoned:
            self._held = False
            self._in_net(self._go_on)
        self._behind = len(self._inbox) > 0
        return self._behind

    def _room_of(self, inp: Input | PortInput) -> int:
        """What it took of the inbox's room."""
        if isinstance(inp, _WITH_DATA):
            return len(inp.data) + self._overhead
        if isinstance(inp, DatagramsReceived):
            return _size_of(inp.datagrams, self._overhead)
        return self._overhead if isinstance(inp, DatagramRefused) else 0

    def _tell_untold(self, session: Listener, now: float) -> None:
        with self._lock:
            untold, self._untold = self._untold, Counter()
        for ref, count in untold.items():
            session.receive(PacketsDropped(link=ref, count=count), now=now)

    @property
    def _waiting(self) -> int:
        return self._put_bytes - self._got_bytes

    def deadline(self) -> float | None:
        """Nothing is due without a wake."""
        return None

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Not known: there may be several servers."""
        then(None)

    def hasten(self) -> None:
        """Nothing: what is written to a socket is acknowledged."""

    def abandon(self, then: Callable[[], None] | None = None) -> None:
        """Let go of everything now, without a word.  ``then``: see ``when_parted``."""
        if not self._abandoned:
            self._abandoned = True
            self._inbox.close()
            self._in_net(self._let_go)
            if then is not None:
                self.when_parted(then)
            self._runner.stop()

    def when_parted(self, then: Callable[[], None]) -> None:
        """Call, from the net's thread, once nothing can come any more of sockets that were given up before this."""
        self._in_net(partial(self._await_parted, then))

    def _in_net(self, function: Callable[[Net], object]) -> None:
        self._runner.call(partial(self._carefully, function))

    # --- in the net's thread

    def _carefully(self, function: Callable[[Net], object], net: Net) -> None:
        try:
            function(net)
        except Exception as error:  # noqa: BLE001 - ours, and raised to whoever drains: the thread serves others too
            self.crashed(error)

    def _open(self, command: OpenSocket, net: Net) -> None:
        if command.link in self._sockets:
            self.crashed(LocalProtocolError("a socket of this name is open: count the generation up"))
            return
        socket = self._sockets[command.link] = Socket(net, command, self, self._options)
        socket.start()

    def _send(self, command: SendFrame, _: Net | None = None) -> None:
        if socket := self._sockets.get(command.link):
            socket.send(command)

    def _close(self, command: CloseSocket, _: Net) -> None:
        if socket := self._sockets.get(command.link):
            socket.close(command)
            self._see_off(socket)

    def _see_off(self, socket: Socket) -> None:
        if socket.parting:
            self._parting.add(socket)
            socket.at_end = partial(self._parted, socket)

    def _parted(self, socket: Socket) -> None:
        self._parting.discard(socket)
        if not self._parting:
            done, self._when_parted = self._when_parted, []
            for then in done:
                then()

    def _await_parted(self, then: Callable[[], None], _: Net) -> None:
        if self._parting:
            self._when_parted.append(then)
        else:
            then()

    def _open_datagrams(self, command: OpenDatagrams, net: Net) -> None:
        if command.link in self._datagrams:
            self.crashed(LocalProtocolError("datagrams of this name are open: count the generation up"))
            return
        datagrams = self._datagrams[command.link] = Datagrams(net, command, self, self._options)
        datagrams.start()

    def _send_datagram(self, command: SendDatagram, _: Net | None = None) -> None:
        if datagrams := self._datagrams.get(command.link):
            datagrams.send(command)

    def _close_datagrams(self, command: CloseDatagrams, _: Net) -> None:
        if datagrams := self._datagrams.get(command.link):
            datagrams.close()

    def _open_port(self, command: OpenPort, net: Net) -> None:
        if command.link in self._ports:
            self.crashed(LocalProtocolError("a port of this name is open: count the generation up"))
            return
        port = (CallingPort if command.tcp else Port)(net, command, self, self._options.limits)
        if port.start():
            self._ports[command.link] = port

    def _send_from(self, command: SendDatagrams, _: Net | None = None) -> None:
        if port := self._ports.get(command.link):
            port.send(command)

    def _close_port(self, command: ClosePort, _: Net) -> None:
        if port := self._ports.pop(command.link, None):
            port.close()

    def _fetch(self, command: Fetch, net: Net) -> None:
        if command.link in self._requests:
            self.crashed(LocalProtocolError("a request of this name is under way: count the generation up"))
            return
        if len(self._requests) >= self._options.limits.fetches:
            detail = f"more than {len(self._requests)} requests at once"
            self.deliver(FetchFailed(link=command.link, reason=CloseReason.OVERFLOW, detail=detail))
            return
        self._requests[command.link] = net.spawn(partial(self._request, command, net))

    async def _request(self, command: Fetch, net: Net) -> None:
        try:
            self.deliver(await fetch(net, command, self._options))
        except TargetRefused as error:
            self.deliver(FetchFailed(link=command.link, reason=CloseReason.FORBIDDEN, detail=str(error)))
        except RequestFailed as error:
            self.deliver(FetchFailed(link=command.link, reason=error.reason, detail=error.detail))
        except Exception as error:  # noqa: BLE001 - ours or the caller's, and raised to whoever drains
            self.crashed(error)
        finally:
            self._requests.pop(command.link, None)

    def _cancel(self, command: CancelFetch, _: Net) -> None:
        if task := self._requests.pop(command.link, None):
            task.cancel()

    def deliver(self, inp: Input | PortInput) -> None:
        """Take an input of a socket's."""
        if isinstance(inp, FrameReceived) and not self._has_room(inp.link, inp.data):
            return
        if isinstance(inp, SocketClosed):
            self._sockets.pop(inp.link, None)
        elif isinstance(inp, DatagramsClosed):
            self._datagrams.pop(inp.link, None)
        elif isinstance(inp, DatagramRefused):
            if self._waiting > self._mark:
                return
            self._put_bytes += self._overhead
        self._inbox.put(inp)

    def deliver_datagrams(self, ref: LinkRef, datagrams: list[bytes]) -> None:
        """Take datagrams; the half of the room that sockets keep free is not theirs."""
        for data in datagrams:
            if self._waiting > self._mark:
                self.counts.no_room += 1
                self._note(ref, 1)
            else:
                self._put_bytes += len(data) + self._overhead
                self._inbox.put(DatagramReceived(link=ref, data=data))

    def deliver_from(self, ref: LinkRef, remote: tuple[str, int], datagrams: list[bytes]) -> None:
        """Take datagrams of a port; as those of ``deliver_datagrams``."""
        if self._waiting > self._mark:
            self.counts.no_room += len(datagrams)
            self._note(ref, len(datagrams))
            return
        self._put_bytes += _size_of(datagrams, self._overhead)
        self._inbox.put(DatagramsReceived(link=ref, remote=remote, datagrams=datagrams))

    def deliver_frames(self, ref: LinkRef, messages: list[bytes]) -> None:
        """Take binary messages of a socket's."""
        for data in messages:
            if self._has_room(ref, data):
                self._inbox.put(FrameReceived(link=ref, data=data))

    def _has_room(self, ref: LinkRef, data: bytes) -> bool:
        size = len(data) + self._overhead
        if self._waiting + size > self._inbox_bytes:
            self._note(ref, 1)
            return False
        self._put_bytes += size
        return True

    def _note(self, ref: LinkRef, dropped: int) -> None:
        with self._lock:
            self._untold[ref] += dropped
        self._woken()

    def full(self, ref: LinkRef) -> bool:
        """Whether so much waits that a socket should read no further; see ``SocketInbox``."""
        if not self._held:
            if self._waiting <= self._mark:
                return False
            self._note(ref, 0)
            # Before it is looked at again: whoever drains looks at this after it has made room.
            self._held = True
        return self._waiting > self._mark // 2

    def _go_on(self, _: Net) -> None:
        for socket in self._sockets.values():
            socket.go_on()

    def behind(self) -> bool:
        """Whether the loop has enough to do for now; see ``SocketInbox``."""
        return self._behind and self._turn is not None

    def burst(self, work: Callable[[], None]) -> None:
        """Let a socket's task deliver; see ``SocketInbox``."""
        if self._turn is None:
            work()
            return
        self._bursting = True
        try:
            work()
        finally:
            self._bursting = False
        if len(self._inbox) and not self._behind:
            self._turn()

    def _woken(self) -> None:
        if not self._bursting:
            self._wake()

    def crashed(self, error: Exception) -> None:
        """Take a bug of ours, or misuse; whoever drains gets it."""
        self._crash = error
        self._wake()

    def _let_go(self, _: Net) -> None:
        for socket in self._sockets.values():
            socket.abandon()
            self._see_off(socket)
        for task in list(self._requests.values()):
            task.cancel()
        for datagrams in self._datagrams.values():
            datagrams.abandon()
        for port in self._ports.values():
            port.close()
        self._ports.clear()
        self._sockets.clear()
        self._requests.clear()
        self._datagrams.clear()


def _size_of(datagrams: list[bytes], overhead: int) -> int:
    return sum(map(len, datagrams)) + len(datagrams) * overhead


def _forget(_: object) -> None:
    """What becomes of an input that nobody reads any more."""
