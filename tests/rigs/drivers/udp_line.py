"""A line for datagrams between clients and a service, which can be cut, or lose some of what goes over it."""

from __future__ import annotations

import select
import socket
import threading
from random import Random

LOCAL = "127.0.0.1"


class UdpLine:
    """Each client has a socket of its own towards the service, as behind a router.  Runs in a thread until it is closed."""

    def __init__(self, service, *, seed=1):
        host, _, port = service.rpartition(":")
        self._service = host, int(port)
        self.cut = False
        """Does nothing arrive any more, either way?"""
        self.loss = 0.0
        self.carried = self.lost = 0
        self._random = Random(seed)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((LOCAL, 0))
        self._bell, self._rope = socket.socketpair()
        self._ways = {}
        self._back = {}
        self._thread = threading.Thread(target=self._run, name="udp line")
        self._thread.start()

    @property
    def at(self):
        return f"{LOCAL}:{self._front.getsockname()[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._rope.send(b"x")
        self._thread.join()
        for one in (self._front, self._bell, self._rope, *self._back):
            one.close()

    def put_in(self, data):
        """As if the service had sent it to every client."""
        for address in tuple(self._ways):
            self._front.sendto(data, address)

    def _arrives(self):
        arrives = not self.cut and self._random.random() >= self.loss
        self.carried += arrives
        self.lost += not arrives
        return arrives

    def _run(self):
        while True:
            ready = select.select([self._front, self._bell, *self._back], [], [])[0]
            if self._bell in ready:
                return
            for one in ready:
                try:
                    data, address = one.recvfrom(65_536)
                    if not self._arrives():
                        continue
                    if one is not self._front:
                        self._front.sendto(data, self._back[one])
                        continue
                    if address not in self._ways:
                        way = self._ways[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        way.connect(self._service)
                        self._back[way] = address
                    self._ways[address].send(data)
                except ConnectionRefusedError:
                    pass  # nobody there, which the other end is not told of
