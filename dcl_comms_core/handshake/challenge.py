"""The handshake on a WebSocket that the island service and ws-rooms share.

::

    we      who we are                    the server  a challenge
    we      the signed challenge          the server  welcome

Each step has its time limit.  The servers hang up without a word, so why they did is judged by the stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core import events as ev
from dcl_comms_core.commands import CloseSocket, OpenSocket, SendFrame
from dcl_comms_core.errors import PacketTooLarge, SigningRefused
from dcl_comms_core.identity.auth_chain import require_address, require_answer
from dcl_comms_core.inputs import LinkRef
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME
from dcl_comms_core.states import CLOSED_AT, STAGE_TRANSITIONS, CloseReason, Stage, StageTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.inputs import SocketClosed

__all__ = ["KICKED", "Failure", "Handshake", "Service"]

_GONE: Final = LinkRef(0, 0)
_NO_CLOSE_FRAME: Final = 1006


class Failure(NamedTuple):
    """Why a handshake, or the session after it, ended."""

    reason: CloseReason
    detail: str = ""


KICKED: Final = Failure(CloseReason.DUPLICATE_IDENTITY, "the same wallet logged in elsewhere, or was banned")
"""Kicked after the welcome.  A ban looks no different; where both services ban, whichever is heard first says so."""


class Service(NamedTuple):
    """What differs between the services."""

    subprotocol: str
    seconds: Mapping[Stage, float]
    """How long each stage may take."""
    hello: Callable[[str], bytes]
    """The frame that says who we are."""
    proof: Callable[[str], bytes]
    """The frame that holds the signed challenge."""


class Handshake:
    """The state, deadline and commands of a handshake, on one WebSocket after another."""

    def __init__(
        self,
        service: Service,
        *,
        url: str,
        address: str,
        guard: ChallengeGuard,
        room: str,
        within: Place | None,
        say: Callable[[ev.Event], None],
    ) -> None:
        self._service = service
        self._url = url
        self._address = require_address(address)
        self._guard = guard
        self._room = room
        self._within = within
        self._say = say
        self._challenge = ""
        self._request = 0
        self.link = _GONE
        self.stage = Stage.IDLE
        self.deadline: float | None = None
        self.commands: list[Command] = []
        self.identity = ""
        """The address that our chain proves, in lower case; empty before it was sent."""

    def refusal(self) -> Failure | None:
        """Why the guard refuses to sign at this URL; None: it does not."""
        try:
            self._guard.check_url(self._url)
        except SigningRefused as error:
            return Failure(CloseReason.SIGNING_REFUSED, str(error))
        return None

    def begin(self, link: LinkRef, now: float) -> None:
        """Open a socket."""
        self.link = link
        self._move(StageTrigger.BEGIN, now)
        subprotocol = self._service.subprotocol
        self.commands.append(OpenSocket(link=link, url=self._url, subprotocol=subprotocol, within=self._within))

    def opened(self, now: float) -> bool:
        """The socket is open.  False: unexpected in this stage."""
        if not self._move(StageTrigger.OPENED, now):
            return False
        self.send(self._service.hello(self._address))
        return True

    def challenged(self, challenge: str, *, already: bool, now: float) -> Failure | bool:
        """The server sent a challenge.  False: unexpected in this stage; Failure: the guard refuses to sign it."""
        if self.stage is not Stage.IDENTIFYING:
            return False
        try:
            self._guard.check_challenge(challenge, url=self._url)
        except SigningRefused as error:
            return Failure(CloseReason.SIGNING_REFUSED, str(error))
        self._move(StageTrigger.CHALLENGED, now)
        self._challenge = challenge
        self._request += 1
        if already:
            text = "the same wallet is connected there, and will be no longer once we are"
            code = ev.WarningCode.ALREADY_CONNECTED
            self._say(ev.Warning(at=now, room=self._room, code=code, text=text))
        self._say(ev.SignatureNeeded(at=now, room=self._room, payload=challenge, request=self._request))
        return True

    def provide(self, request: int, chain: AuthChain, *, now: float, unix_now: float | None) -> bool:
        """Send the signed challenge.  False: it is no longer needed."""
        if request != self._request or self.stage is not Stage.SIGNING:
            return False
        require_answer(chain, self._challenge, unix_now=unix_now)
        frame = self._service.proof(chain.to_json())
        if len(frame) > WEBSOCKET_MAX_FRAME:
            raise PacketTooLarge(len(frame), WEBSOCKET_MAX_FRAME)
        self._move(StageTrigger.SIGNED, now)
        self.identity = chain.address.lower()
        self.send(frame)
        return True

    def refuse(self, request: int, detail: str) -> Failure | None:
        """Nobody will sign it.  None: it is no longer needed."""
        if request != self._request or self.stage is not Stage.SIGNING:
            return None
        return Failure(CloseReason.NOT_SIGNED, detail)

    def welcomed(self, now: float) -> bool:
        """The server let us in.  False: unexpected in this stage."""
        return self._move(StageTrigger.WELCOMED, now)

    def closed(self, inp: SocketClosed) -> Failure:
        """The socket was closed by the other end, or could not be opened."""
        stage = self.stage
        self.forget()
        if inp.reason is not CloseReason.NETWORK or inp.code == _NO_CLOSE_FRAME or stage not in CLOSED_AT:
            return Failure(inp.reason, inp.detail)
        told = f": {inp.detail}" if inp.detail else ""
        return Failure(CLOSED_AT[stage], f"hung up while {stage.value} (code {inp.code}){told}")

    def timed_out(self, now: float) -> Failure | None:
        """The failure if the stage took too long; else None."""
        if self.deadline is None or self.deadline > now:
            return None
        stage = self.stage
        seconds = self._service.seconds[stage]
        reason = CloseReason.NOT_SIGNED if stage is Stage.SIGNING else CloseReason.TIMEOUT
        return Failure(reason, f"{stage.value} took more than {seconds:g} s")

    def send(self, frame: bytes, token: int = 0) -> None:
        """Send a frame; with token 0 its acknowledgement is ignored."""
        self.commands.append(SendFrame(link=self.link, token=token, data=frame))

    def hang_up(self, drain: float = 0.0) -> None:
        """Close the socket, if there is one, giving what was sent up to ``drain`` seconds to leave."""
        if self.stage is not Stage.IDLE:
            self.commands.append(CloseSocket(link=self.link, drain=drain))
            self.forget()

    def forget(self) -> None:
        """Forget the socket."""
        self.stage = STAGE_TRANSITIONS[self.stage, StageTrigger.OVER]
        self.deadline = None

    def take_commands(self) -> list[Command]:
        """Drain the commands, in order."""
        commands, self.commands = self.commands, []
        return commands

    def _move(self, trigger: StageTrigger, now: float) -> bool:
        stage = STAGE_TRANSITIONS.get((self.stage, trigger))
        if stage is None:
            return False
        self.stage = stage
        seconds = self._service.seconds.get(stage)
        self.deadline = None if seconds is None else now + seconds
        return True
