"""What the servers' twins have in common: clients on WebSockets, and the handshake from its other end.

A twin is told of clients with ``accept(link, ...)`` and of what they send with ``receive(inp, now=...)``; it gives
SendFrame and CloseSocket.  As the real servers do it hangs up without a word on whoever breaks the rules.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from math import isfinite
from typing import TYPE_CHECKING, Final

from dcl_comms_core.commands import CloseSocket, SendFrame
from dcl_comms_core.errors import InvalidAuthChain, LocalProtocolError
from dcl_comms_core.identity.auth_chain import AuthChain
from dcl_comms_core.inputs import ClockSet, FrameReceived, LinkRef, SendAcknowledged, SocketClosed
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME
from dcl_comms_core.states import Stage
from dcl_comms_core.tools.prng import Prng

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits

__all__ = ["Client", "SocketServer"]

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHALLENGE_LETTERS: Final = 11


class Client:
    """One socket.  Its stage is the client's own, seen from here: IDENTIFYING until it said who it is."""

    __slots__ = ("address", "alias", "challenge", "link", "room", "stage")

    def __init__(self, link: LinkRef, room: str, alias: int) -> None:
        self.link = link
        self.room = room
        self.alias = alias
        self.stage = Stage.CONNECTING
        self.challenge = ""
        self.address = ""
        """Proved, in lower case; empty before the welcome."""


class SocketServer(ABC):
    """Clients, their handshakes, and the time these may take."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        denied: Callable[[str], bool],
        stage_seconds: float,
        limits: Limits,
        entropy: int,
    ) -> None:
        self._verifier = verifier
        self._denied = denied
        self._seconds = stage_seconds
        self._limits = limits
        self._prng = Prng(entropy)
        self._now = 0.0
        self._unix_offset: float | None = None
        self._accepted = 0
        self._clients: dict[LinkRef, Client] = {}
        self._due: dict[LinkRef, float] = {}
        """Clients in their handshake, the one first whose time ends first: all have as long."""
        self._commands: list[Command] = []
        self.counters: Counter[str] = Counter()
        """How often: accepted, welcomed, relayed; refused.full, .stage, .frame, .address, .chain, .denied, .time;
        kicked."""

    def commands(self) -> list[Command]:
        """Take everything that the sockets are to do, in order."""
        commands, self._commands = self._commands, []
        return commands

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        return next(iter(self._due.values()), None)

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._pass_time(now)
        while self._due:
            link, due = next(iter(self._due.items()))
            if due > self._now:
                break
            self._refuse(self._clients[link], "time")

    def receive(self, inp: Input, *, now: float) -> None:
        """Take what a client sent, its end, or the wall clock.  LocalProtocolError: it is something else."""
        self._pass_time(now)
        match inp:
            case ClockSet():
                self._unix_offset = inp.unix_offset
            case FrameReceived():
                client = self._clients.get(inp.link)
                if client is None:
                    self.counters["late"] += 1
                elif len(inp.data) > WEBSOCKET_MAX_FRAME:
                    self._refuse(client, "frame")
                else:
                    self._on_frame(client, inp.data)
            case SocketClosed():
                client = self._clients.get(inp.link)
                if client is not None:
                    self._forget(client)
            case SendAcknowledged():
                pass
            case _:
                msg = f"a server takes ClockSet, FrameReceived, SocketClosed, not {type(inp).__name__}"
                raise LocalProtocolError(msg)

    # --- what the two servers do in their own way

    @abstractmethod
    def _on_frame(self, client: Client, data: bytes) -> None:
        """A client sent something."""

    @abstractmethod
    def _challenge_frame(self, challenge: str, *, already: bool) -> bytes: ...

    @abstractmethod
    def _known(self, client: Client, address: str) -> Client | None:
        """Whose place this client would take."""

    @abstractmethod
    def _welcome(self, client: Client) -> None:
        """It proved who it is: let it in, or not."""

    @abstractmethod
    def _left(self, client: Client) -> None:
        """Somebody who was let in is gone."""

    # --- clients

    def _accept(self, link: LinkRef, room: str, now: float) -> None:
        self._pass_time(now)
        if link in self._clients:
            msg = "this link is a client's already: give each its own LinkRef"
            raise LocalProtocolError(msg)
        self._accepted += 1
        client = Client(link, room, self._accepted)
        if len(self._clients) >= self._limits.server_sockets:
            self.counters["refused.full"] += 1
            self._commands.append(CloseSocket(link=link))
            return
        self.counters["accepted"] += 1
        self._clients[link] = client
        self._step(client, Stage.IDENTIFYING)

    def _step(self, client: Client, stage: Stage) -> None:
        client.stage = stage
        self._due.pop(client.link, None)
        if stage is not Stage.WELCOMED:
            self._due[client.link] = self._now + self._seconds

    def _send(self, client: Client, frame: bytes) -> None:
        self._commands.append(SendFrame(link=client.link, token=0, data=frame))

    def _refuse(self, client: Client, why: str) -> None:
        self.counters["refused." + why] += 1
        self._hang_up(client)

    def _kick(self, client: Client, frame: bytes) -> None:
        self.counters["kicked"] += 1
        self._send(client, frame)
        self._hang_up(client)

    def _hang_up(self, client: Client) -> None:
        self._commands.append(CloseSocket(link=client.link))
        self._forget(client)

    def _forget(self, client: Client) -> None:
        del self._clients[client.link]
        self._due.pop(client.link, None)
        if client.stage is Stage.WELCOMED:
            self._left(client)

    # --- the handshake

    def _identified(self, client: Client, address: str) -> None:
        """It said who it is."""
        if client.stage is not Stage.IDENTIFYING:
            self._refuse(client, "stage")
        elif not _ADDRESS.fullmatch(address):
            self._refuse(client, "address")
        else:
            client.challenge = self._challenge()
            self._step(client, Stage.PROVING)
            already = self._known(client, address.lower()) is not None
            self._send(client, self._challenge_frame(client.challenge, already=already))

    def _proved(self, client: Client, chain: str) -> None:
        """It gave a signed challenge."""
        if client.stage is not Stage.PROVING:
            self._refuse(client, "stage")
            return
        if self._unix_offset is None:
            msg = "a server needs the wall clock: receive(ClockSet(unix_offset=...)) first"
            raise LocalProtocolError(msg)
        unix_now = self._now + self._unix_offset
        try:
            address = AuthChain.from_json(chain, limits=self._limits).validate(
                client.challenge, unix_now=unix_now, verifier=self._verifier
            )
        except InvalidAuthChain:
            self._refuse(client, "chain")
            return
        if self._denied(address):
            self._refuse(client, "denied")
            return
        # As the real ones: whoever the chain speaks for, whatever was said before.
        client.address = address
        self._welcome(client)

    def _let_in(self, client: Client) -> None:
        self.counters["welcomed"] += 1
        self._step(client, Stage.WELCOMED)

    def _challenge(self) -> str:
        letters = (_LETTERS[int(self._prng.unit() * len(_LETTERS))] for _ in range(_CHALLENGE_LETTERS))
        return "dcl-0." + "".join(letters)

    def _pass_time(self, now: float) -> None:
        if not isfinite(now):
            msg = "now is a finite number of seconds"
            raise LocalProtocolError(msg)
        self._now = max(now, self._now)
