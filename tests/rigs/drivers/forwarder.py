"""A bad network in user space: forwards one TCP port and one UDP port, later, or not at all.

Run as a script it is the forwarder, told by JSON lines on standard input what to do; imported, ``Forwarder`` starts one.
The dice are seeded, so a run loses the same share in the same pattern, if not the same packets.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys


class Forwarder:
    """``listen`` and ``to`` are addresses; the ports are the same on both, unless that is the same address.

    ``set``: ``loss`` (0 to 1, UDP), ``deaf`` (the address of a client whose UDP is all lost), ``delay`` (s, each way,
    UDP), ``tcp_delay`` (s, towards the server, of connections made from then on), ``hang_up`` (whether TCP
    connections that there are end now).
    """

    def __init__(self, *, listen, to, tcp, udp=0, seed=1):
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._tell(listen=listen, to=to, tcp=tcp, udp=udp, seed=seed)
        self.port = json.loads(self._process.stdout.readline())["port"]

    def set(self, **how):
        """Change how packets are treated, from when this returns: how many were lost, passed; TCP connections so far."""
        self._tell(**how)
        return json.loads(self._process.stdout.readline())

    def _tell(self, **what):
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class _Network:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.loss = 0.0
        self.deaf = ""
        self.delay = 0.0
        self.tcp_delay = 0.0
        self.lost = self.passed = self.connections = 0
        self.open = set()

    def set(self, name, value):
        if name != "hang_up":
            setattr(self, name, value)
        elif value:
            for writer in self.open:
                writer.transport.abort()

    def send(self, client, transport, data, address=None):
        if self.dice.random() < self.loss or client[0] == self.deaf:
            self.lost += 1
            return
        self.passed += 1
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, _send, transport, data, address)
        else:
            _send(transport, data, address)


def _send(transport, data, address):
    if not transport.is_closing():
        transport.sendto(data, address)


class _FromClients(asyncio.DatagramProtocol):
    """The side that clients see; each of them gets a socket of its own on the other side, as behind a NAT."""

    def __init__(self, network, to):
        self.network = network
        self.to = to
        self.others = {}
        self.early = {}

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        other = self.others.get(address)
        if other is not None:
            self.network.send(address, other, data)
        elif address in self.early:
            self.early[address].append(data)
        else:
            self.early[address] = [data]
            asyncio.get_running_loop().create_task(self._open(address))

    async def _open(self, address):
        loop = asyncio.get_running_loop()
        other, _ = await loop.create_datagram_endpoint(lambda: _FromServer(self, address), remote_addr=self.to)
        self.others[address] = other
        for data in self.early.pop(address):
            self.network.send(address, other, data)


class _FromServer(asyncio.DatagramProtocol):
    def __init__(self, clients, address):
        self.clients = clients
        self.address = address

    def datagram_received(self, data, _):
        self.clients.network.send(self.address, self.clients.transport, data, self.address)


async def _pipe(reader, writer, delay):
    try:
        while data := await reader.read(65536):
            if delay:
                await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    start = json.loads(await orders.readline())
    network = _Network(start["seed"])

    async def accept(reader, writer):
        delay = network.tcp_delay
        network.connections += 1
        try:
            other_reader, other_writer = await asyncio.open_connection(start["to"], start["tcp"])
        except OSError:
            writer.close()
            return
        network.open.add(writer)
        try:
            await asyncio.gather(_pipe(reader, other_writer, delay), _pipe(other_reader, writer, 0))
        finally:
            network.open.discard(writer)

    port = 0 if start["listen"] == start["to"] else start["tcp"]
    server = await asyncio.start_server(accept, start["listen"], port)
    if start["udp"]:
        await loop.create_datagram_endpoint(
            lambda: _FromClients(network, (start["to"], start["udp"])), local_addr=(start["listen"], start["udp"])
        )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    while line := await orders.readline():
        for name, value in json.loads(line).items():
            network.set(name, value)
        counts = {name: getattr(network, name) for name in ("lost", "passed", "connections")}
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
