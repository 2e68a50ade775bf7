"""A PulseSession and a service of ENet's on one line and one virtual clock; what the service says a test says itself."""

from __future__ import annotations

from math import inf
from typing import Any

from rigs.core.chains import NOW, identity

from dcl_comms_core import (
    ClockSet,
    CloseDatagrams,
    CloseReason,
    DatagramReceived,
    DatagramsClosed,
    DatagramsOpened,
    OpenDatagrams,
    SendDatagram,
    SignatureNeeded,
)
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.enet import FORK_FLAG, EnetConnected, EnetDisconnected, EnetHost, EnetMessage, EnetOptions
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.session import PulseSession
from dcl_comms_core.states import PULSE_WAITS

WELCOME = pulse.ServerMessage(handshake=pulse.HandshakeResponse(success=True))
DELAY = 0.02
"""Seconds each way."""


class Line:
    """``answers``: the service accepts every handshake by itself.  ``signs``: so does the application."""

    def __init__(self, *, answers: bool = True, signs: bool = True, **settings: Any) -> None:
        self.now = 1_000.0
        self.who = identity()
        self.session = PulseSession("pulse.test", address=self.who.address, **settings)
        self.host = EnetHost(entropy=7, options=EnetOptions(sent_time_flag=FORK_FLAG))
        self.answers = answers
        self.signs = signs
        self.reaches = True
        """Whether datagrams arrive, either way."""
        self.opens = True
        """Whether the network answers OpenDatagrams by itself."""
        self.events: list[Any] = []
        self.heard: list[tuple[float, int, pulse.ClientMessage]] = []
        """What the service got, when and on which channel."""
        self.left: list[int] = []
        """The numbers with which clients left."""
        self.peer: Any = None
        self.opened: list[OpenDatagrams] = []
        self.closed: list[CloseDatagrams] = []
        self._on_line: list[tuple[float, bool, bytes, Any]] = []
        self.session.receive(ClockSet(unix_offset=NOW - self.now), now=self.now)

    # --- what happens

    def open(self) -> Line:
        """Begin, in a realm and at a place."""
        self.session.set_realm("Main", now=self.now)
        self.session.set_position((8.0, 0.0, 8.0), now=self.now)
        self.session.open(now=self.now)
        return self

    def turn(self) -> None:
        """Whatever waits, on both sides, goes onto the line."""
        for _ in range(50):
            commands, events = self.session.commands(), self.session.events()
            for command in commands:
                self._carry_out(command)
            self.events += events
            for event in events:
                if isinstance(event, SignatureNeeded) and self.signs:
                    self.session.provide_signature(event.request, self.who.sign(event.payload), now=self.now)
            self._serve()
            if not commands and not events:
                self.look()
                return
        raise AssertionError("it never rests")

    def _carry_out(self, command: Any) -> None:
        if isinstance(command, SendDatagram):
            assert command.link == self.session.link
            self._send(True, command.data, command.link)
        elif isinstance(command, OpenDatagrams):
            self.opened.append(command)
            if self.opens:
                self.session.receive(DatagramsOpened(link=command.link), now=self.now)
        else:
            assert isinstance(command, CloseDatagrams)
            self.closed.append(command)
            if self.opens:
                self.session.receive(DatagramsClosed(link=command.link, reason=CloseReason.CLIENT), now=self.now)

    def _send(self, up: bool, data: bytes, link: Any) -> None:
        if self.reaches:
            self._on_line.append((self.now + DELAY, up, data, link))

    def _serve(self) -> None:
        for event in self.host.events():
            if isinstance(event, EnetConnected):
                self.peer = event.peer
            elif isinstance(event, EnetDisconnected):
                self.left.append(event.data)
                self.peer = None if event.peer is self.peer else self.peer
            else:
                assert isinstance(event, EnetMessage)
                message = decode_message(pulse.ClientMessage, event.data)
                self.heard.append((self.now, event.channel, message))
                if self.answers and (message.handshake is not None or message.scene_listener_handshake is not None):
                    self.say(WELCOME)
        for address, datagram in self.host.datagrams(now=self.now):
            self._send(False, datagram, address)

    def say(self, message: pulse.ServerMessage) -> None:
        """Something that the service says."""
        self.peer.send(encode(message), channel=0)

    def run(self, seconds: float) -> Line:
        """Let time pass."""
        end = self.now + seconds
        for _ in range(100_000):
            self.turn()
            times = [when for when in (self.session.deadline(), self.host.deadline()) if when is not None]
            times += [entry[0] for entry in self._on_line]
            when = max(min(times, default=inf), self.now)
            if when > end:
                self.now = end
                self.turn()
                return self
            self.now = when
            due = [entry for entry in self._on_line if entry[0] <= self.now]
            self._on_line = [entry for entry in self._on_line if entry[0] > self.now]
            for _, up, data, link in due:
                if up:
                    self.host.receive(data, link, now=self.now)
                else:
                    self.session.receive(DatagramReceived(link=link, data=data), now=self.now)
            deadline = self.session.deadline()
            if deadline is not None and deadline <= self.now:
                self.session.handle_timeout(self.now)
            deadline = self.host.deadline()
            if deadline is not None and deadline <= self.now:
                self.host.handle_timeout(self.now)
        raise AssertionError("time stands still")

    # --- what a test looks at

    def look(self) -> None:
        """Whoever waits has a deadline, of those that the table names."""
        bound, timers, deadline = PULSE_WAITS[self.session.state], self.session.timers, self.session.deadline()
        if isinstance(bound, str):
            assert deadline is None
        else:
            assert timers.keys() & set(bound), (self.session.state, timers)
            assert deadline is not None
            assert deadline <= min(timers.values())

    def said(self, kind: str) -> list[Any]:
        """What the service got of this kind."""
        return [told for _, _, message in self.heard if (told := getattr(message, kind)) is not None]

    def told(self, kind: type) -> list[Any]:
        """The session's events of this kind."""
        return [event for event in self.events if isinstance(event, kind)]
