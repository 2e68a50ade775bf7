"""A machine of a deployment: what carries a world's session out, and each of its LiveKit rooms."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.commands import OpenLink
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import DataReceived, LinkClosed
from dcl_comms_core.livekit.arrivals import Arrived
from dcl_comms_core.livekit.session import SignalSession
from dcl_comms_core.states import CloseReason
from dcl_comms_core.states.livekit import SignalState
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.deployment.wires import Wires
    from dcl_comms_core.inputs import Input, LinkInput
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import NewPeer

__all__ = ["Machine"]

_FIRST_PORT = 40_000


class _Room:
    """One attempt at one room."""

    def __init__(self, command: OpenLink, wires: Wires, new_peer: NewPeer, limits: Limits, now: float) -> None:
        adapter = command.adapter
        if not isinstance(adapter, LiveKitAdapter):
            msg = f"the rooms of a deployment are LiveKit's, and not {adapter.protocol}:"
            raise LocalProtocolError(msg)
        self.wires = wires
        self.session = SignalSession(
            adapter, link=command.link, new_peer=new_peer, within=command.within, limits=limits,
            entropy=command.link.link + command.link.generation,
        )  # fmt: skip
        self.due: float | None = None
        """When the session wants a turn, as of the last one."""
        self.session.open(now=now)

    def turn(self, now: float) -> list[Input]:
        """Take what came and what is due; gives what the room's session is to be told."""
        session, wires = self.session, self.wires
        due = session.deadline()
        if due is not None and due <= now:
            session.handle_timeout(now)
        while True:
            while wires.inbox:
                session.receive(wires.inbox.popleft(), now=now)  # type: ignore[arg-type]  # what it has no use for too
            for command in session.commands():
                wires.execute(command)
            if not wires.inbox:
                self.due = session.deadline()
                return [self._told(news) for news in session.news()]

    def _told(self, news: LinkInput | Arrived) -> Input:
        if not isinstance(news, Arrived):
            return news
        link, (sender, data, reliable, topic) = self.session.link, news
        return DataReceived(link=link, sender=sender, data=data, reliable=reliable, topic=topic)

    def abandon(self, now: float) -> None:
        self.session.abandon(now=now)
        for command in self.session.commands():
            self.wires.execute(command)
        self.wires.abandon()


class Machine:
    """``name``: of its owner; ``new_wires``: takes its name and a number for its address."""

    def __init__(
        self, name: str, host: str, new_wires: Callable[[Machine], Wires], new_peer: NewPeer, limits: Limits
    ) -> None:
        self.name = name
        self.addresses = ((host, port) for port in count(_FIRST_PORT))
        """Of its ports, each once."""
        self._new_wires = new_wires
        self._new_peer = new_peer
        self._limits = limits
        self._wires = new_wires(self)
        self._rooms: dict[int, _Room] = {}
        self._ready: deque[Input] = deque()
        self._now = 0.0

    def execute(self, command: Command, *, now: float) -> None:
        """Carry out a session's command."""
        self._now = now
        number = command.link.link
        if isinstance(command, OpenLink):
            self._open(command)
        elif number in self._rooms:
            room = self._rooms[number]
            if room.session.link == command.link:
                room.session.execute(command, now=now)  # type: ignore[arg-type]  # of this link there are no others
                self._ready.extend(room.turn(now))
        else:
            self._wires.execute(command)

    def _open(self, command: OpenLink) -> None:
        number, now = command.link.link, self._now
        before = self._rooms.pop(number, None)
        if before is not None and before.session.state is not SignalState.CLOSED:
            before.abandon(now)
            self._ready.append(LinkClosed(link=before.session.link, reason=CloseReason.CLIENT))
        room = self._rooms[number] = _Room(command, self._new_wires(self), self._new_peer, self._limits, now)
        self._ready.extend(room.turn(now))

    def inputs(self, now: float, limit: int | None = None) -> list[Input]:
        """Take the inputs that are due, at most ``limit``."""
        self._now = now
        for room in self._rooms.values():
            if room.wires.inbox or (room.due is not None and room.due <= now):
                self._ready.extend(room.turn(now))
        self._ready.extend(self._wires.inbox)  # type: ignore[arg-type]  # a world has no ports
        self._wires.inbox.clear()
        count_ = len(self._ready) if limit is None else min(limit, len(self._ready))
        return [self._ready.popleft() for _ in range(count_)]

    def deadline(self) -> float | None:
        """When ``inputs`` has something; None: nothing is on its way that is known of."""
        if self._ready or self._wires.inbox:
            return self._now
        due: float | None = None
        for room in self._rooms.values():
            if room.wires.inbox:
                return self._now
            due = earlier(due, room.due)
        return due

    def abandon(self, now: float) -> None:
        """Let go of everything: the program that held it ended."""
        rooms, self._rooms = self._rooms, {}
        for room in rooms.values():
            room.abandon(now)
        self._wires.abandon()
        self._ready.clear()
