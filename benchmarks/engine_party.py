"""One process of the engine's benchmark: ``engine_party.py URL``, orders and answers as JSON lines.

It drives a LiveKitLink directly, without a session, so that how many bytes wait where is decided here and nowhere else.
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
import threading
import time
from pathlib import Path
from statistics import quantiles

from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.link import LiveKitLink

from dcl_comms_core import LinkRef, parse_connection_string
from dcl_comms_core.commands import CloseLink, OpenLink, SendData, SetAttributes
from dcl_comms_core.inputs import LinkClosed, LinkFailed, LinkOpened, SendAcknowledged

HEAD = struct.Struct("<dIB")  # when it was sent (the machine's monotonic clock), its number, whether it is reliable
NO_LIMIT = 1 << 30


class Party:
    """One link in one room."""

    def __init__(self, url: str, token: str, single: bool | None = None) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self.link = LiveKitLink(self._wake)
        self.ref = LinkRef(0, 1)
        self.opened = self.closed = False
        self.sizes: dict[int, tuple[float, int, bool]] = {}
        self.outstanding = {True: 0, False: 0}
        self.packets_out = {True: 0, False: 0}
        self.acks: dict[bool, list[float]] = {True: [], False: []}
        self.got: dict[bool, dict[int, float]] = {True: {}, False: {}}
        self.last = 0.0
        self._token = 0
        made = requests.connect

        def connect(adapter, async_id, **how):
            request = made(adapter, async_id, **how)
            if single is not None:
                request.connect.options.single_peer_connection = single
            return request

        requests.connect = connect
        try:
            adapter = parse_connection_string(f"livekit:{url}?access_token={token}")
            self._execute(OpenLink(link=self.ref, adapter=adapter, auto_subscribe=False))
        finally:
            requests.connect = made
        self.until(lambda: self.opened)
        self._execute(SetAttributes(link=self.ref, attributes=(("client", "bench"),)))

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:
            return

    def _execute(self, command) -> None:
        self.link.execute(command, now=time.monotonic())

    def receive(self, inp, *, now: float) -> None:
        if isinstance(inp, SendAcknowledged):
            if inp.error:
                raise ConnectionError(inp.error)
            sent, size, reliable = self.sizes.pop(inp.token)
            self.outstanding[reliable] -= size
            self.packets_out[reliable] -= 1
            self.acks[reliable].append(now - sent)
        elif isinstance(inp, LinkOpened):
            self.opened = True
        elif isinstance(inp, LinkFailed):
            raise ConnectionError(inp.detail)
        elif isinstance(inp, LinkClosed):
            self.closed = True

    def receive_data(self, _sender, data: bytes, *, reliable: bool = True, **_: object) -> None:
        sent, number, _ = HEAD.unpack_from(data)
        self.last = time.monotonic()
        self.got[reliable].setdefault(number, self.last - sent)

    def turn(self, patience: float = 0.0) -> None:
        if select.select([self._reader], [], [], patience)[0]:
            os.read(self._reader, 65536)
        while self.link.drain(self, now=time.monotonic(), limit=256):
            pass

    def until(self, condition, patience: float = 20.0) -> bool:
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end:
                return False
            self.turn(0.005)
        return True

    def threshold(self, value: int) -> None:
        """From how many bytes on in libwebrtc's buffer the engine holds a reliable packet back."""
        room = self.link.room  # no application sets this
        room.engine.send(requests.send_buffer(room.me, value))

    def send(self, size: int, number: int, *, reliable: bool) -> None:
        now = time.monotonic()
        data = HEAD.pack(now, number, reliable) + bytes(size - HEAD.size)
        self._token += 1
        self.sizes[self._token] = (now, size, reliable)
        self.outstanding[reliable] += size
        self.packets_out[reliable] += 1
        self._execute(SendData(link=self.ref, token=self._token, data=data, to=None, reliable=reliable, topic=""))

    # -- orders: each returns its answer

    def forget(self) -> dict[str, object]:
        self.got = {True: {}, False: {}}
        self.acks = {True: [], False: []}
        return {}

    def push(self, *, size: int, count: int, window: int, reliable: bool = True, first: int = 0) -> dict[str, object]:
        """Send ``count`` packets, at most ``window`` of them not acknowledged."""
        began = time.monotonic()
        for number in range(first, first + count):
            while self.packets_out[reliable] >= window:
                self.turn(0.05)
            self.send(size, number, reliable=reliable)
        self.until(lambda: self.packets_out[reliable] == 0)
        return {"began": began, "acked": time.monotonic() - began, **self._acks(reliable)}

    def mixed(self, *, seconds: float, size: int, every: float, bytes_out: int, lossy: bool) -> dict[str, object]:
        """Push reliable packets, at most ``bytes_out`` of them outstanding, and a small lossy one ``every`` seconds."""
        began = time.monotonic()
        end, due, pushed, ticks = began + seconds, began, 0, 0
        while (now := time.monotonic()) < end:
            if lossy and now >= due:
                due += every
                self.send(60, ticks, reliable=False)
                ticks += 1
            while size and self.outstanding[True] + size <= bytes_out:
                self.send(size, pushed, reliable=True)
                pushed += 1
            self.turn(max(0.0, min(end, due if lossy else end) - time.monotonic()))
        self.until(lambda: not self.sizes)
        return {"began": began, "pushed": pushed, "ticks": ticks, **self._acks(False)}

    def _acks(self, reliable: bool) -> dict[str, float]:
        return percentiles("ack", self.acks[reliable])

    def result(self, *, reliable: int = 0, lossy: int = 0, patience: float = 10.0) -> dict[str, object]:
        """What was received, once so many packets have come or ``patience`` is over."""
        got = self.got
        self.until(lambda: len(got[True]) >= reliable and len(got[False]) >= lossy, patience)
        return {
            "reliable": len(got[True]),
            "lossy": len(got[False]),
            "last": self.last,
            **percentiles("reliable", list(got[True].values())),
            **percentiles("lossy", list(got[False].values())),
        }

    def leave(self, *, drain: float = 0.0) -> dict[str, object]:
        began = time.monotonic()
        self._execute(CloseLink(link=self.ref, drain=drain))
        while not self.closed:
            self.turn(min(0.05, max(0.0, (self.link.deadline() or NO_LIMIT) - time.monotonic())))
        return {"seconds": time.monotonic() - began}


def percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {f"{name}_p50": cuts[49] * 1e3, f"{name}_p99": cuts[98] * 1e3}


def memory() -> dict[str, int]:
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "rss": int(fields["VmRSS"].split()[0]),
        "threads": int(fields["Threads"]),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
    }


def main() -> None:
    url = sys.argv[1]
    parties: list[Party] = []
    lines: list[str | None] = []
    more = threading.Condition()

    def read() -> None:
        for line in sys.stdin:
            put(line)
        put(None)

    def put(line: str | None) -> None:
        with more:
            lines.append(line)
            more.notify()

    def take() -> str | None:
        # Whoever waits for orders goes on turning its links.
        while True:
            with more:
                if lines or more.wait(0.002 if parties else 1.0):
                    return lines.pop(0)
            for party in parties:
                party.turn()

    threading.Thread(target=read, daemon=True).start()
    while (line := take()) is not None:
        order = json.loads(line)
        do = order.pop("do")
        if do == "join":
            began = time.monotonic()
            parties.append(Party(url, order["token"], order.get("single")))
            answer = {"seconds": time.monotonic() - began}
        elif do == "memory":
            answer = memory()
        elif do == "threshold":
            parties[-1].threshold(order["value"])
            answer = {}
        else:
            party = parties[order.pop("party", -1)]
            answer = getattr(party, do)(**order)
            if do == "leave":
                parties.remove(party)
        print(json.dumps(answer or {}), flush=True)


if __name__ == "__main__":
    main()
