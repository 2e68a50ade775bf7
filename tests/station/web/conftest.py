"""A Station in a process of its own, and a page that speaks to it."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

COMMAND = [sys.executable, "-W", "error", "-m", "dcl_comms_station", "station", "--no-browser"]
POSITIONS, AUDIO, VIDEO = 1, 2, 3
HEAD, ROW = struct.Struct("<BBHId"), struct.Struct("<HBBfffHH")
VIEW = {"map": {"on": True}, "stats": {"on": True}, "chat": {"on": True}}
SECONDS = 60.0


class Page:
    """It draws at once what it is told, and remembers it."""

    def __init__(self, url, *, view=VIEW, origin=None, draws=True):
        base, _, token = url.partition("/#token=")
        self._opened = connect(
            f"ws{base.removeprefix('http')}/ws",
            origin=origin or base,
            subprotocols=["dcl-station.1", f"token.{token}"],
            max_size=None,
        )
        self.socket = self._opened.__enter__()
        self.draws = draws
        self.events: list[dict] = []
        self.places: dict[int, list[tuple]] = {}
        self.sound: dict[int, bytearray] = {}
        """By the track's place in what is listened to."""
        self.pictures: list[tuple[int, int, int, int, bytes]] = []
        """Track, width, height, quarter turns, planes."""
        self.answers: dict[int, dict] = {}
        self.raw: list[str | bytes] = []
        self._asked = 0
        self.seq = 0
        self.welcome = self.do("hello", protocol=1, view=view)

    def close(self):
        self._opened.__exit__(None, None, None)

    def take(self, timeout=SECONDS):
        frame = self.socket.recv(timeout=timeout)
        self.raw.append(frame)
        if isinstance(frame, bytes):
            kind, _, rows, seq, _ = HEAD.unpack_from(frame)
            if kind == AUDIO:
                track, samples = struct.unpack_from("<HH", frame, HEAD.size)
                assert len(frame) == HEAD.size + 4 + 2 * samples
                self.sound.setdefault(track, bytearray()).extend(frame[HEAD.size + 4 :])
            elif kind == VIDEO:
                self.pictures.append((*struct.unpack_from("<HHHH", frame, HEAD.size), frame[HEAD.size + 8 :]))
            for row in range(rows if kind == POSITIONS else 0):
                slot, _, _, x, y, z, _, _ = ROW.unpack_from(frame, HEAD.size + row * ROW.size)
                self.places.setdefault(slot, []).append((x, y, z))
        else:
            told = json.loads(frame)
            if "re" in told:
                self.answers[told["re"]] = told
                return
            self.events += told["ev"]
            seq = told["s"]
        self.seq = seq
        if self.draws:
            self.socket.send(json.dumps({"ack": seq}))

    def ask(self, do, **arguments):
        self._asked += 1
        self.socket.send(json.dumps({"id": self._asked, "do": do, **arguments}))
        return self._asked

    def do(self, do, **arguments):
        """Ask, and wait for the answer; what it is."""
        number = self.ask(do, **arguments)
        self.until(lambda: number in self.answers)
        answer = self.answers[number]
        return answer["ok"] if "ok" in answer else answer["error"]

    def send_piece(self, upload, seq, data):
        """A piece of a file."""
        self.socket.send(HEAD.pack(16, 1, upload, seq, 0.0) + data)

    def until(self, found, seconds=SECONDS):
        """Take frames until that is so; what it says."""
        limit = time.monotonic() + seconds
        while not (value := found()):
            self.take(max(limit - time.monotonic(), 0.001))
        return value

    def all(self, kind):
        return [event for event in self.events if event["k"] == kind]

    def last(self, kind, **fields):
        """The last event of this kind that has these; None: there is none."""
        fits = [event for event in self.all(kind) if all(event.get(name) == value for name, value in fields.items())]
        return fits[-1] if fits else None


@contextmanager
def running(*arguments, loop="asyncio", stdin=None):
    """A Station; its process, with ``url``."""
    process = subprocess.Popen(
        [*COMMAND, "--loop", loop, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE if stdin is not None else None,
        text=True,
    )
    try:
        if stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
            process.stdin = None
        process.url = process.stdout.readline().strip()
        assert process.url.startswith("http://127.0.0.1:"), process.communicate()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.out, process.err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


@pytest.fixture
def station():
    return running


@pytest.fixture
def page():
    """``page(url)``: one that is closed at the end."""
    pages: list[Page] = []

    def make(url, **settings):
        pages.append(Page(url, **settings))
        return pages[-1]

    yield make
    for one in pages:
        one.close()
