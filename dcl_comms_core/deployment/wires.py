"""What one session of a machine has of the network: WebSockets, requests, ports.  Commands in, inputs out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from dcl_comms_core.adapters.url_guard import Place
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
from dcl_comms_core.deployment.streams import Stream
from dcl_comms_core.inputs import (
    DatagramReceived,
    DatagramsClosed,
    DatagramsOpened,
    DatagramsReceived,
    Fetched,
    FetchFailed,
    FrameReceived,
    PortClosed,
    PortOpened,
    SendAcknowledged,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.deployment.doors import Door, Hosts
    from dcl_comms_core.deployment.network import Network
    from dcl_comms_core.inputs import LinkRef, NetworkInput, PortInput
    from dcl_comms_core.livekit.webrtc import Address

__all__ = ["Wires"]

_PLACE = Place.PRIVATE
"""Where all servers are."""


def _apart(url: str) -> tuple[str, str]:
    """A URL's host, and what is to be asked for there."""
    host, slash, rest = url.partition("://")[2].partition("/")
    return host, slash + rest or "/"


class _Socket:
    """This end of a WebSocket: a Caller."""

    def __init__(self, wires: Wires, command: OpenSocket, stream: Stream, door: Door) -> None:
        self.stream = stream
        self.open = False
        self.farewell = command.farewell
        self._wires = wires
        self._link = command.link
        self._door = door
        self._there: LinkRef | None = None
        """What names it at the server."""
        stream.broken.append(lambda: self.closed(CloseReason.NETWORK))
        target = _apart(command.url)[1]
        stream.up(lambda: self._call(target))

    @property
    def _is_ours(self) -> bool:
        return self._wires.sockets.get(self._link) is self

    def _call(self, target: str) -> None:
        self._there = self._door.call(self.stream, target, self)

    def opened(self) -> None:
        if self._is_ours:
            self.open = True
            self._wires.inbox.append(SocketOpened(link=self._link, place=_PLACE))

    def said(self, data: bytes) -> None:
        if self._is_ours:
            self._wires.inbox.append(FrameReceived(link=self._link, data=data))

    def closed(self, reason: CloseReason, *, code: int = 1006, status: int = 0) -> None:
        if self._is_ours:
            del self._wires.sockets[self._link]
            self._wires.inbox.append(SocketClosed(link=self._link, reason=reason, code=code, status=status))

    def say(self, data: bytes) -> None:
        self.stream.up(lambda: self._hear(data))

    def _hear(self, data: bytes) -> None:
        if self._there is not None:
            self._door.hear(self._there, data)

    def hang_up(self) -> None:
        self.stream.end_up(self._gone)

    def _gone(self) -> None:
        if self._there is not None:
            self._door.gone(self._there)


class Wires:
    """``owner``: the machine's name; ``addresses``: addresses of its own, which nobody else has."""

    def __init__(self, owner: str, network: Network, hosts: Hosts, addresses: Iterator[Address]) -> None:
        self.inbox: deque[NetworkInput | PortInput | SendAcknowledged] = deque()
        """What came."""
        self.sockets: dict[LinkRef, _Socket] = {}
        self._owner = owner
        self._network = network
        self._hosts = hosts
        self._addresses = addresses
        self._asked: set[LinkRef] = set()
        """Requests that are under way."""
        self._ports: dict[LinkRef, Address] = {}
        self._towards: dict[LinkRef, Address] = {}
        """Where a way of datagrams leads."""
        self._acts: dict[type[Command | PortCommand], Callable[[Any], None]] = {
            OpenSocket: self._open,
            SendFrame: self._send,
            CloseSocket: self._hang_up,
            Fetch: self._fetch,
            CancelFetch: lambda command: self._asked.discard(command.link),
            OpenPort: self._open_port,
            SendDatagrams: self._send_datagrams,
            ClosePort: lambda command: self._close_port(command.link),
            OpenDatagrams: self._open_datagrams,
            SendDatagram: self._send_datagram,
            CloseDatagrams: self._close_datagrams,
        }

    def execute(self, command: Command | PortCommand) -> None:
        """Carry a command out; one that is for a room that is over is nothing."""
        act = self._acts.get(type(command))
        if act is not None:
            act(command)

    # --- WebSockets

    def _open(self, command: OpenSocket) -> None:
        door = self._hosts.doors.get(_apart(command.url)[0])
        if door is None:
            self.inbox.append(SocketClosed(link=command.link, reason=CloseReason.UNREACHABLE))
        else:
            stream = Stream(self._network, self._owner, door.name)
            self.sockets[command.link] = _Socket(self, command, stream, door)

    def _send(self, command: SendFrame) -> None:
        socket = self.sockets.get(command.link)
        if socket is not None:
            socket.say(command.data)
            self.inbox.append(SendAcknowledged(link=command.link, token=command.token))

    def _hang_up(self, command: CloseSocket) -> None:
        socket = self.sockets.pop(command.link, None)
        if socket is not None:
            socket.hang_up()
            self.inbox.append(SocketClosed(link=command.link, reason=CloseReason.CLIENT, code=1000))

    # --- requests

    def _fetch(self, command: Fetch) -> None:
        link, (host, target) = command.link, _apart(command.url)
        door = self._hosts.doors.get(host)
        self._asked.add(link)
        if door is None:
            self._answered(FetchFailed(link=link, reason=CloseReason.UNREACHABLE))
            return
        stream = Stream(self._network, self._owner, door.name)
        stream.broken.append(lambda: self._answered(FetchFailed(link=link, reason=CloseReason.NETWORK)))
        headers = {name.lower(): value for name, value in command.headers}

        def ask() -> None:
            answer = door.request(command.method, target, headers, command.body)
            news: Fetched | FetchFailed = FetchFailed(link=link, reason=CloseReason.UNREACHABLE)
            if answer is not None:
                named = tuple((name.lower(), value) for name, value in answer.headers)
                news = Fetched(
                    link=link, status=answer.status, headers=named, body=answer.body, url=command.url, place=_PLACE
                )
            stream.end_down(lambda: self._answered(news))

        stream.up(ask)

    def _answered(self, news: Fetched | FetchFailed) -> None:
        if news.link in self._asked:
            self._asked.remove(news.link)
            self.inbox.append(news)

    # --- datagrams

    def _bind(self, link: LinkRef) -> Address:
        local = self._ports[link] = next(self._addresses)
        self._network.bind(local, self._owner, lambda remote, data: self._arrived(link, remote, data))
        return local

    def _arrived(self, link: LinkRef, remote: Address, data: bytes) -> None:
        if link not in self._towards:
            self.inbox.append(DatagramsReceived(link=link, remote=remote, datagrams=[data]))
        elif self._towards[link] == remote:
            self.inbox.append(DatagramReceived(link=link, data=data))

    def _open_port(self, command: OpenPort) -> None:
        if command.tcp:
            self.inbox.append(PortClosed(link=command.link, detail="there are ports of UDP only"))
        else:
            self.inbox.append(PortOpened(link=command.link, local=self._bind(command.link)))

    def _open_datagrams(self, command: OpenDatagrams) -> None:
        towards = self._hosts.ports.get((command.host, command.port))
        if towards is None:
            self.inbox.append(DatagramsClosed(link=command.link, reason=CloseReason.UNREACHABLE))
        else:
            self._towards[command.link] = towards
            self._bind(command.link)
            self.inbox.append(DatagramsOpened(link=command.link))

    def _send_datagrams(self, command: SendDatagrams) -> None:
        local = self._ports.get(command.link)
        if local is not None:
            for datagram in command.datagrams:
                self._network.send(self._owner, local, command.to, datagram)

    def _send_datagram(self, command: SendDatagram) -> None:
        local = self._ports.get(command.link)
        if local is not None:
            self._network.send(self._owner, local, self._towards[command.link], command.data)

    def _close_datagrams(self, command: CloseDatagrams) -> None:
        self._close_port(command.link)
        self.inbox.append(DatagramsClosed(link=command.link, reason=CloseReason.CLIENT))

    def _close_port(self, link: LinkRef) -> None:
        self._towards.pop(link, None)
        local = self._ports.pop(link, None)
        if local is not None:
            self._network.unbind(local)

    # --- the end

    def abandon(self) -> None:
        """Let go of everything, with the last word of each open socket."""
        sockets, self.sockets = self.sockets, {}
        for socket in sockets.values():
            if socket.open and socket.farewell:
                socket.say(socket.farewell)
            socket.hang_up()
        self._asked.clear()
        for link in tuple(self._ports):
            self._close_port(link)
        self.inbox.clear()
