"""A machine's ends of the network: WebSockets, requests and ports, with servers that are there, refuse, or are gone."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from dcl_comms_core import (
    CancelFetch,
    CloseDatagrams,
    CloseLink,
    CloseReason,
    CloseSocket,
    DatagramReceived,
    DatagramsClosed,
    DatagramsOpened,
    Fetch,
    Fetched,
    FetchFailed,
    FrameReceived,
    LinkRef,
    OpenDatagrams,
    OpenSocket,
    SendAcknowledged,
    SendDatagram,
    SendFrame,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.commands import ClosePort, OpenPort, SendDatagrams
from dcl_comms_core.deployment.doors import Door, Hosts
from dcl_comms_core.deployment.network import Network
from dcl_comms_core.deployment.wires import Wires
from dcl_comms_core.inputs import DatagramsReceived, PortClosed, PortOpened
from dcl_comms_core.servers.livekit.pages import RoomPage
from dcl_comms_core.simulation.settings import Faults

LINK, OTHER = LinkRef(1, 1), LinkRef(2, 1)
SERVER = ("10.0.0.1", 7_000)


class Echo:
    """A server that says back what it hears, and refuses a path."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.heard: list[Any] = []

    def upgrade(self, link: LinkRef, target: str, headers: Any, *, now: float) -> RoomPage | None:
        self.heard.append((link, target))
        return RoomPage(403) if target == "/no" else None

    def request(self, method: str, target: str, headers: Any, body: bytes, *, now: float) -> RoomPage:
        return RoomPage(200, f"{method} {target} {headers} ".encode() + body, (("X-One", "1"),))

    def receive(self, inp: Any, *, now: float) -> None:
        self.heard.append(inp)
        if isinstance(inp, FrameReceived):
            self.door.execute(SendFrame(link=inp.link, token=len(inp.data) % 2, data=inp.data))


class Rig:
    def __init__(self) -> None:
        self.net = Network(seed=1, faults=Faults(latency=0.1, give_up=5.0))
        self.moves = 0
        self.door = Door("server", self.net, self.moved)
        self.echo = Echo(self.door)
        self.door.server = self.echo
        hosts = Hosts({"server.test": self.door}, {("server.test", 7_000): SERVER})
        self.wires = Wires("me", self.net, hosts, (("10.1.0.1", port) for port in count(4_000)))

    def moved(self) -> None:
        self.moves += 1

    def do(self, *commands: Any) -> Rig:
        for command in commands:
            self.wires.execute(command)
        return self

    def run(self, seconds: float = 1.0) -> list[Any]:
        """Let time pass; what came."""
        end = self.net.clock.now + seconds
        while (due := self.net.deadline()) is not None and due <= end:
            self.net.clock.advance_to(due)
            self.net.run()
        self.net.clock.advance_to(end)
        came = list(self.wires.inbox)
        self.wires.inbox.clear()
        return came

    def opened(self, path: str = "/a?b") -> Rig:
        self.do(OpenSocket(link=LINK, url=f"wss://server.test{path}", farewell=b"bye"))
        assert [type(one) for one in self.run()] == [SocketOpened]
        return self


def socket_closed(reason: CloseReason, **fields: Any) -> SocketClosed:
    return SocketClosed(link=LINK, reason=reason, **fields)


def test_a_socket_is_opened_and_what_is_said_on_it_comes_and_goes() -> None:
    rig = Rig().opened()
    assert rig.echo.heard == [(LinkRef(1, 1), "/a?b")]
    rig.do(SendFrame(link=LINK, token=5, data=b"one"), SendFrame(link=LINK, token=6, data=b"four"))
    came = rig.run()
    assert came[:2] == [SendAcknowledged(link=LINK, token=5), SendAcknowledged(link=LINK, token=6)]
    assert [one.data for one in came[2:]] == [b"one", b"four"]
    # The server is told that its word went out, where it asked for that.
    assert [one for one in rig.echo.heard if isinstance(one, SendAcknowledged)] == [
        SendAcknowledged(link=LinkRef(1, 1), token=1)
    ]
    assert rig.moves == 3


def test_whoever_closes_first_is_answered_at_once_and_the_other_one_hears_of_it() -> None:
    rig = Rig().opened()
    rig.do(SendFrame(link=LINK, token=1, data=b"x"), CloseSocket(link=LINK))
    came = rig.run()
    assert came[-1] == socket_closed(CloseReason.CLIENT, code=1000)
    assert isinstance(rig.echo.heard[-1], SocketClosed), rig.echo.heard
    # Nothing more: neither to us, nor what we say or close again.
    rig.do(SendFrame(link=LINK, token=2, data=b"x"), CloseSocket(link=LINK))
    rig.door.execute(SendFrame(link=LinkRef(1, 1), token=0, data=b"late"))
    assert rig.run() == []
    rig = Rig().opened()
    rig.door.execute(CloseSocket(link=LinkRef(1, 1)))
    rig.do(SendFrame(link=LINK, token=1, data=b"crosses it"))
    assert rig.run() == [SendAcknowledged(link=LINK, token=1), socket_closed(CloseReason.NETWORK, code=1000)]
    assert not [one for one in rig.echo.heard if isinstance(one, FrameReceived)]


def test_what_comes_late_for_a_socket_that_was_given_up_is_nothing() -> None:
    rig = Rig()
    rig.do(OpenSocket(link=LINK, url="wss://server.test/"), CloseSocket(link=LINK))
    assert rig.run() == [socket_closed(CloseReason.CLIENT, code=1000)]
    rig = Rig().opened()
    rig.do(SendFrame(link=LINK, token=1, data=b"x"))
    rig.run(0.15)
    rig.do(CloseSocket(link=LINK))
    rig.door.execute(CloseSocket(link=LinkRef(1, 1)))
    assert rig.run() == [socket_closed(CloseReason.CLIENT, code=1000)]


def test_a_server_refuses_is_not_there_or_is_unknown() -> None:
    rig = Rig()
    rig.do(OpenSocket(link=LINK, url="wss://server.test/no"), SendFrame(link=LINK, token=1, data=b"early"))
    assert rig.run()[1:] == [socket_closed(CloseReason.UNREACHABLE, status=403)]
    rig.do(OpenSocket(link=LINK, url="wss://nowhere.test/"))
    assert rig.run() == [socket_closed(CloseReason.UNREACHABLE)]
    rig.door.server = None
    rig.do(OpenSocket(link=LINK, url="wss://server.test"), Fetch(link=OTHER, url="https://server.test/"))
    assert set(rig.run()) == {
        socket_closed(CloseReason.UNREACHABLE),
        FetchFailed(link=OTHER, reason=CloseReason.UNREACHABLE),
    }
    # Given up before the server had it, and it is not there.
    rig.do(OpenSocket(link=LINK, url="wss://server.test"), CloseSocket(link=LINK))
    assert rig.run() == [socket_closed(CloseReason.CLIENT, code=1000)]


def test_a_server_that_dies_takes_its_sockets_with_it() -> None:
    rig = Rig().opened()
    rig.door.server = None
    rig.door.slam()
    rig.do(SendFrame(link=LINK, token=1, data=b"to nobody"))
    assert rig.run()[-1] == socket_closed(CloseReason.NETWORK)
    rig.door.execute(SendFrame(link=LinkRef(1, 1), token=0, data=b"of nobody"))
    assert rig.run() == []


def test_a_cut_breaks_sockets_and_requests_in_time() -> None:
    rig = Rig().opened()
    rig.net.cut("me", "server")
    rig.do(Fetch(link=OTHER, url="https://server.test/"))
    rig.do(OpenSocket(link=LinkRef(3, 1), url="wss://server.test/"))
    assert rig.run(4.9) == []
    assert rig.run(0.2) == [
        socket_closed(CloseReason.NETWORK),
        FetchFailed(link=OTHER, reason=CloseReason.NETWORK),
        SocketClosed(link=LinkRef(3, 1), reason=CloseReason.NETWORK),
    ]
    assert isinstance(rig.echo.heard[-1], SocketClosed)


def test_requests_are_answered_unless_they_were_given_up() -> None:
    rig = Rig()
    headers = (("X-Name", "value"),)
    rig.do(Fetch(link=LINK, url="https://server.test/p?q", method="POST", headers=headers, body=b"body"))
    rig.do(Fetch(link=OTHER, url="https://server.test/"), CancelFetch(link=OTHER), CancelFetch(link=OTHER))
    (answer,) = rig.run()
    assert isinstance(answer, Fetched)
    assert (answer.status, answer.headers) == (200, (("x-one", "1"),))
    assert answer.body == b"POST /p?q {'x-name': 'value'} body"
    rig.do(Fetch(link=LINK, url="https://nowhere.test/"))
    assert rig.run() == [FetchFailed(link=LINK, reason=CloseReason.UNREACHABLE)]


def test_ports_send_anywhere_and_ways_of_datagrams_to_one_address() -> None:
    rig = Rig()
    came: list[Any] = []
    rig.net.bind(SERVER, "server", lambda source, data: came.append((source, data)))
    rig.do(
        OpenPort(link=LINK, towards=SERVER),
        OpenPort(link=LinkRef(3, 1), towards=SERVER, tcp=True),
        OpenDatagrams(link=OTHER, host="server.test", port=7_000),
        OpenDatagrams(link=LinkRef(4, 1), host="server.test", port=1),
    )
    port, way = ("10.1.0.1", 4_000), ("10.1.0.1", 4_001)
    assert rig.run() == [
        PortOpened(link=LINK, local=port),
        PortClosed(link=LinkRef(3, 1), detail="there are ports of UDP only"),
        DatagramsOpened(link=OTHER),
        DatagramsClosed(link=LinkRef(4, 1), reason=CloseReason.UNREACHABLE),
    ]
    rig.do(SendDatagrams(link=LINK, to=SERVER, datagrams=[b"1", b"2"]), SendDatagram(link=OTHER, data=b"3"))
    rig.run()
    assert came == [(port, b"1"), (port, b"2"), (way, b"3")]
    for source, to in ((SERVER, port), (SERVER, way), (("10.9.9.9", 1), way)):
        rig.net.send("server", source, to, b"x")
    assert rig.run() == [
        DatagramsReceived(link=LINK, remote=SERVER, datagrams=[b"x"]),
        DatagramReceived(link=OTHER, data=b"x"),
    ]
    rig.do(ClosePort(link=LINK), ClosePort(link=LINK), CloseDatagrams(link=OTHER))
    rig.do(SendDatagrams(link=LINK, to=SERVER, datagrams=[b"1"]), SendDatagram(link=OTHER, data=b"3"))
    rig.do(CloseLink(link=LINK))
    rig.net.send("server", SERVER, port, b"x")
    assert rig.run() == [DatagramsClosed(link=OTHER, reason=CloseReason.CLIENT)]
    assert len(came) == 3


@pytest.mark.parametrize("path", ["/", "/no"])
def test_whoever_lets_go_says_a_last_word_on_what_is_open(path: str) -> None:
    rig = Rig()
    rig.do(OpenSocket(link=LINK, url=f"wss://server.test{path}", farewell=b"bye"))
    rig.do(OpenSocket(link=OTHER, url="wss://server.test/"), OpenPort(link=LinkRef(3, 1), towards=SERVER))
    rig.run(0.3)
    rig.do(OpenSocket(link=LinkRef(5, 1), url="wss://server.test/", farewell=b"never open"))
    rig.do(Fetch(link=LINK, url="https://server.test/"))
    rig.wires.abandon()
    assert rig.run(20.0) == []
    heard = [one.data for one in rig.echo.heard if isinstance(one, FrameReceived)]
    assert heard == ([b"bye"] if path == "/" else [])
