"""One end of ENet's benchmark, in a process of its own: ``enet_party.py ours|libenet host PEERS`` or ``... client PEERS PORT``.

It obeys lines of JSON: ``port``; ``expect`` (count from now on); ``send``; ``result``.  Of what it does meanwhile the process's own CPU
is told, user and system apart.  ``libenet`` is Debian's library: a loop that calls its service function and nothing else.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import sys
import threading
import time
from collections import deque
from ctypes import byref
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from rigs.enet.libenet import CONNECT, RECEIVE, RELIABLE, LibEnet, new_event

from dcl_comms_core import Limits
from dcl_comms_core.enet import Delivery, EnetClient, EnetConnected, EnetHost, EnetMessage, EnetOptions

PING = 60.0
"""Seconds between pings, which cost the same however many messages there are."""
IDLE = 0.02
"""Seconds that an end which has nothing to do waits at most before it looks for orders."""


def milliseconds(seconds: float) -> int:
    """At least so long: whoever wakes too early goes round for nothing."""
    return max(0, ceil(seconds * 1000.0))


class Library:
    """Debian's ENet."""

    def __init__(self, peers: int, port: int | None) -> None:
        from rigs.enet.libenet import load

        self.lib = load()
        if self.lib is None:
            sys.exit("libenet.so.7 is not installed")
        self.enet = LibEnet(self.lib, server=port is None, peers=peers)
        self.port = self.enet.port
        self.event = new_event()
        self.peers: list[int] = []
        self.got = 0
        if port is not None:
            for _ in range(peers):
                self.enet.connect(port)

    def serve(self, until: float) -> None:
        """Serve until that time; return early where something came."""
        service, destroy, event = self.lib.enet_host_service, self.lib.enet_packet_destroy, byref(self.event)
        host = self.enet.host
        wait = milliseconds(until - time.monotonic())
        while service(host, event, wait) > 0:
            if self.event.type == RECEIVE:
                self.got += 1
                destroy(self.event.packet)
            elif self.event.type == CONNECT:
                self.peers.append(self.event.peer)
                self.lib.enet_peer_ping_interval(self.event.peer, int(PING * 1000.0))
            wait = 0

    def flush(self) -> None:
        self.lib.enet_host_flush(self.enet.host)

    def send(self, place: int, data: bytes, reliable: bool) -> None:
        packet = self.lib.enet_packet_create(data, len(data), RELIABLE if reliable else 0)
        self.lib.enet_peer_send(self.peers[place % len(self.peers)], 0, packet)


class Ours:
    """Ours, on a plain loop of its own."""

    def __init__(self, peers: int, port: int | None) -> None:
        how = {
            "limits": Limits(enet_address_peers=4_095, enet_unproved_peers=4_095),
            "options": EnetOptions(ping_seconds=PING),
        }
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
        self.socket.bind(("127.0.0.1", 0))
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLIN)
        self.port = self.socket.getsockname()[1]
        self.peers: list = []
        self.got = 0
        self.host = self.client = None
        if port is None:
            self.host = EnetHost(entropy=1, **how)
        else:
            assert peers == 1, "a client of ours has one connection"
            self.socket.connect(("127.0.0.1", port))
            self.client = EnetClient(entropy=2, **how)
            self.client.connect(now=time.monotonic())

    def serve(self, until: float) -> None:
        machine = self.client or self.host
        now = time.monotonic()
        self.flush(now)
        deadline = machine.deadline()
        when = until if deadline is None else min(until, deadline)
        if self.poll.poll(milliseconds(when - now)):
            now = time.monotonic()
            try:
                if self.client is not None:
                    receive, recv = self.client.receive, self.socket.recv
                    while True:
                        receive(recv(4_097), now=now)
                else:
                    take, recvfrom = self.host.receive, self.socket.recvfrom
                    while True:
                        datagram, address = recvfrom(4_097)
                        take(datagram, address, now=now)
            except BlockingIOError:
                pass
            for event in machine.events():
                if isinstance(event, EnetMessage):
                    self.got += 1
                elif isinstance(event, EnetConnected):
                    self.peers.append(event.peer)
        else:
            now = time.monotonic()
        if deadline is not None and deadline <= now:
            machine.handle_timeout(now)
        self.flush(now)

    def flush(self, now: float | None = None) -> None:
        now = time.monotonic() if now is None else now
        if self.client is not None:
            send = self.socket.send
            for datagram in self.client.datagrams(now=now):
                send(datagram)
        else:
            sendto = self.socket.sendto
            for address, datagram in self.host.datagrams(now=now):
                sendto(datagram, address)

    def send(self, place: int, data: bytes, reliable: bool) -> None:
        peer = self.peers[place % len(self.peers)]
        peer.send(data, delivery=Delivery.RELIABLE if reliable else Delivery.UNRELIABLE)


class Cpu:
    """This process's, since it was made."""

    def __init__(self) -> None:
        self._begin = resource.getrusage(resource.RUSAGE_SELF)

    def so_far(self) -> dict[str, float]:
        begin, now = self._begin, resource.getrusage(resource.RUSAGE_SELF)
        return {"user": now.ru_utime - begin.ru_utime, "system": now.ru_stime - begin.ru_stime}


def say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    kind, role, peers, *port = sys.argv[1:]
    sys.stdin.readline()
    party = (Ours if kind == "ours" else Library)(int(peers), int(port[0]) if port else None)
    if role == "client":
        while len(party.peers) < int(peers):
            party.serve(time.monotonic() + IDLE)
    say(did="connect")
    orders: deque[str] = deque()

    def listen() -> None:
        orders.extend(iter(sys.stdin.readline, ""))

    # deque.extend takes each line as it comes.
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    cpu, began = Cpu(), 0
    while orders or listener.is_alive():
        if not orders:
            party.serve(time.monotonic() + IDLE)
            continue
        order = json.loads(orders.popleft())
        if order["do"] == "port":
            say(did="port", port=party.port)
        elif order["do"] == "expect":
            while len(party.peers) < order["peers"]:
                party.serve(time.monotonic() + IDLE)
            cpu, began = Cpu(), party.got
            say(did="expect")
        elif order["do"] == "send":
            say(did="send", **send(party, order))
        else:
            heard, patience = time.monotonic(), order["patience"]
            last = party.got
            while party.got - began < order["count"] and time.monotonic() - heard < patience:
                party.serve(time.monotonic() + IDLE)
                if party.got != last:
                    last, heard = party.got, time.monotonic()
            say(did="result", got=party.got - began, **cpu.so_far())


def send(party: Ours | Library, order: dict) -> dict[str, float]:
    """Bursts, one each tick, to all peers in turn; ``apart``: each message in a datagram of its own."""
    data, burst, reliable, apart = bytes(order["size"]), order["burst"], order["reliable"], order["apart"]
    cpu = Cpu()
    when = time.monotonic()
    for place in range(0, order["count"], burst):
        for which in range(place, place + burst):
            party.send(which, data, reliable)
            if apart:
                party.flush()
        when += order["tick"]
        party.serve(when)
        while time.monotonic() < when:
            party.serve(when)
    return cpu.so_far()


if __name__ == "__main__":
    main()
