"""Running the command: in this process, in one of its own, and with company in the room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from itertools import count

import pytest
from click.testing import CliRunner
from dcl_comms_drivers import polled
from dcl_comms_station.cli import cli
from dcl_comms_station.exits import Exit
from dcl_comms_station.rooms import in_rooms
from rigs.core.canary import assert_no_secret
from rigs.drivers.terminals import OnPipes, OnTerminal
from rigs.drivers.tokens import make_token

from dcl_comms_core import ChatReceived, PeerEmoted, PeerJoined, PeerMoved, ReactionReceived, RoomOpened, RoomState

COMMAND = [sys.executable, "-m", "dcl_comms_station"]
_numbers = count(1)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path_factory):
    for name in ("DCL_COMMS_TARGET", "DCL_COMMS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("no-config")))


@pytest.fixture
def memory_room():
    """Names of targets in a memory room that no other test uses."""
    room = f"station-{next(_numbers)}"
    return lambda identity: f"simulator:{room}?identity={identity}&announce_every=0"


@pytest.fixture
def run_cli():
    """The command in this process: result.exit_code, .stdout, .stderr."""

    def run(*args, stdin=None, env=None):
        result = CliRunner().invoke(cli, list(args), input=stdin, env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def run_process():
    """The command in a process of its own, until it ends."""

    def run(*args, stdin="", env=None, command=COMMAND, timeout=45):
        return subprocess.run(
            [*command, *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, **(env or {})},
        )

    return run


@pytest.fixture
def start_process():
    """The command in a process of its own, that the test ends."""
    started = []

    def start(*args, env=None, command=COMMAND):
        process = subprocess.Popen(
            [*command, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def on_terminal():
    """The command on a terminal of its own, that the test ends: on_terminal(*args, columns=, env=)."""
    started = []

    def start(*args, **settings):
        started.append(OnTerminal([*COMMAND, *args], **settings))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def on_pipes():
    """The command, talked with through pipes; the test ends it: on_pipes(*args, command=, env=)."""
    started = []

    def start(*args, command=COMMAND, **settings):
        started.append(OnPipes([*command, *args], **settings))
        return started[-1]

    yield start
    for one in started:
        one.end()


class Companion:
    """Somebody else in a room: greets whoever joins, keeps what it reads."""

    def __init__(self, target, *acts, **settings):
        self.chats = []
        self.arrivals = []
        self.moves = []
        self.emotes = []
        self.reactions = []
        self.rooms = []
        self.company = []
        self._acts = acts
        self._errands = []
        self._stop = threading.Event()
        self._room = polled.open(target, **settings)
        self._thread = threading.Thread(target=self._live)
        end = time.monotonic() + 40
        while self._room.state is not RoomState.OPEN:
            assert time.monotonic() < end
            assert not self._room.closed
            self._take(self._room.poll())
            time.sleep(0.005)
        self._thread.start()

    def _live(self):
        while not self._stop.is_set():
            while self._errands:
                self._errands.pop()(self._room)
            self._take(self._room.poll())
            time.sleep(0.01)
        self._room.close()

    def _take(self, events):
        self.company = in_rooms(self._room)
        for event in events:
            if isinstance(event, ChatReceived):
                self.chats.append(event)
            if isinstance(event, RoomOpened):
                self.rooms.append(event.room)
            if isinstance(event, PeerMoved):
                self.moves.append(event)
            if isinstance(event, PeerEmoted):
                self.emotes.append(event)
            if isinstance(event, ReactionReceived):
                self.reactions.append(event)
            if isinstance(event, PeerJoined):
                self.arrivals.append(event)
                for act in self._acts:
                    act(self._room, event.sender)

    @property
    def name(self):
        return self._room.identity

    def await_company(self, count, timeout=40.0):
        """Until so many others are in its rooms; who they are."""
        end = time.monotonic() + timeout
        while len(found := self.company) < count:
            assert time.monotonic() < end, f"there: {found}, came: {self.arrivals}"
            time.sleep(0.02)
        return found

    def await_chat(self, text, timeout=40.0, sender=None):
        end = time.monotonic() + timeout
        while True:
            for event in self.chats:
                if event.text == text and sender in {None, event.sender}:
                    return event
            assert time.monotonic() < end, f"{text!r} did not come; came: {[event.text for event in self.chats]}"
            time.sleep(0.02)

    def await_chats(self, texts, timeout=60.0, *, sender):
        """Until somebody said just this, and nothing else, since we are here."""
        end = time.monotonic() + timeout
        while len(said := [event.text for event in self.chats if event.sender == sender]) < len(texts):
            assert time.monotonic() < end, f"said: {said}"
            time.sleep(0.02)
        assert said == texts

    def await_emote(self, timeout=40.0):
        """The first that came."""
        return self._first(self.emotes, timeout)

    def await_reaction(self, timeout=40.0):
        """The first that came."""
        return self._first(self.reactions, timeout)

    def _first(self, events, timeout):
        end = time.monotonic() + timeout
        while not events:
            assert time.monotonic() < end
            time.sleep(0.02)
        return events[0]

    def await_room(self, room, timeout=30.0):
        end = time.monotonic() + timeout
        while room not in self.rooms:
            assert time.monotonic() < end, f"in: {self.rooms}"
            time.sleep(0.02)

    def do(self, errand):
        """Do something in the room, soon."""
        self._errands.append(errand)

    def end(self):
        self._stop.set()
        self._thread.join(40)
        assert not self._thread.is_alive()


@pytest.fixture
def companion():
    """Put somebody else into a room: companion(target, *what it does when somebody joins, **settings)."""
    all_of_them = []

    def make(target, *acts, **settings):
        one = Companion(target, *acts, **settings)
        all_of_them.append(one)
        return one

    yield make
    for one in all_of_them:
        one.end()


@pytest.fixture
def examine(run_cli):
    """Run the doctor; gives the exit code and each stage's finding."""

    def run(target, *args):
        result = run_cli("doctor", "-", "--json", *args, stdin=target + "\n")
        assert result.stdout.isascii()
        assert_no_secret(target.partition("access_token=")[2] or make_token(), result.stdout, result.stderr)
        findings = [json.loads(line) for line in result.stdout.splitlines()]
        assert result.exit_code == next((f["exit_code"] for f in findings if f["status"] == "failed"), Exit.OK)
        assert all(bool(finding["fix"]) == (finding["status"] in ("failed", "warning")) for finding in findings)
        return result.exit_code, {finding.pop("stage"): finding for finding in findings}

    return run
