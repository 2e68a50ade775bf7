"""SignalSession: one stay in a LiveKit room, for data, over LiveKit's own signalling and a WebRTC peer.

It is what stands behind a link of a RoomSession: it carries out the commands to that link, and gives its inputs.  Of
the network it needs a WebSocket, ports for datagrams, and one request that says why a server refused.

With ``/rtc/v1`` there is one peer connection, and the offer is a part of the URL; servers that don't know it (404) are
joined with two, one for each direction.  Only the socket, or the way of datagrams, may be lost: then the session
resumes, with a new socket and a restart of ICE, and no packet is lost by it.  Whatever else goes wrong ends it, and
whoever joins anew is another session.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Final

from dcl_comms_core.commands import CloseLink, PublishMicrophone, SendData, SetAttributes, SubscribeTrack
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import (
    DatagramsReceived,
    Fetched,
    FetchFailed,
    FrameReceived,
    LinkClosed,
    LinkFailed,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    LinkSilent,
    PacketsDropped,
    PortClosed,
    PortOpened,
    SendAcknowledged,
    SendsAcknowledged,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.livekit.connections import Connections
from dcl_comms_core.livekit.dialing import Dialing
from dcl_comms_core.livekit.leaving import Leaving
from dcl_comms_core.livekit.reasons import read_leave, read_refusal
from dcl_comms_core.livekit.resuming import Resuming
from dcl_comms_core.livekit.room import Room
from dcl_comms_core.livekit.signals import Signals
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason, Timer
from dcl_comms_core.states.livekit import SIGNAL_TRANSITIONS, SignalState, SignalTrigger
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.timers import Timers, earlier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.adapters.connection_string import LiveKitAdapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command, PortCommand, RoomCommand
    from dcl_comms_core.inputs import LinkInput, NetworkInput, PortInput
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.arrivals import Arrived
    from dcl_comms_core.livekit.dialing import Elsewhere
    from dcl_comms_core.livekit.webrtc import NewPeer

__all__ = ["SignalSession"]

_LAST_WORD: Final = 2.0
"""Seconds: whose channels the server closed is told why by the socket, which may take so much longer."""
_SERVER_ERRORS: Final = 500
_NO_DATAGRAMS: Final = (
    "no datagrams to and from the server: is UDP blocked? connect(..., engine='livekit') knows relays (TURN) too"
)
_NO_CHANNELS: Final = "the server opened no channels"
_NOT_BACK: Final = "the connection did not come back"
_JOINING: Final = frozenset({SignalState.NEW, SignalState.DIALING, SignalState.ASKING, SignalState.JOINING})
_HERE: Final = (SignalState.OPEN, SignalState.RESUMING)
"""No set: the hash of an enum's member is a function of Python, and each packet asks."""
_STAYING: Final = (*_HERE, SignalState.JOINING, SignalState.CONNECTING, SignalState.LEAVING)
"""Where the server has us in the room, or is about to."""


class SignalSession:
    """One stay in one room.  Makes no connection, reads no clock, starts nothing.

    ``adapter``: where, with the token.  ``link``: whose commands it carries out, and whose inputs it gives.
    ``new_peer``: makes a WebRTC peer.  ``within``: where the server is that named this one, None: the user did.
    ``elsewhere``: what the last stay said of that.  ``entropy``: seeds the jitter of pauses.
    """

    def __init__(
        self,
        adapter: LiveKitAdapter,
        *,
        link: LinkRef,
        new_peer: NewPeer,
        within: Place | None = None,
        elsewhere: Elsewhere | None = None,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
    ) -> None:
        self._ref = link
        self._limits = limits
        self._clock = Clock()
        self._timers = Timers()
        self._state = SignalState.NEW
        self._commands: list[Command | PortCommand] = []
        self._news: list[LinkInput | Arrived] = []
        numbers = count(1)
        # Of the same attempt as the link: late news of the session before is of another one.
        self._number = lambda: LinkRef(next(numbers), link.generation)
        self._signals = Signals(self._number, self._commands.append, limits)
        self._dialing = Dialing(
            adapter, self._signals, limits, within=within, elsewhere=elsewhere, number=self._number,
            put=self._commands.append,
        )  # fmt: skip
        self._resuming = Resuming(self._timers, self._clock, Prng(entropy), limits)
        self._connections = Connections(
            new_peer, number=self._number, put=self._commands.append, arrived=self._arrived,
            reached_at=self._signals.say_reached_at, limits=limits,
        )  # fmt: skip
        self._room = Room(link, self._signals, limits)
        self._reached = False
        """Whether datagrams went both ways."""
        self._told = False
        """Whether LinkOpened was told, before which nothing is."""
        self._hastening = False
        """Whether somebody waits for acknowledgements."""
        self._leaving = Leaving(self._timers, self._clock, self._connections, limits)
        self.elsewhere: Elsewhere | None = None
        """Where the room is now, if the server said so as it ended the stay."""
        self.failed_at_ice = False
        """Whether it ended because no datagram of ours reached the server."""

    # --- what may be asked

    @property
    def state(self) -> SignalState:
        """Where it stands."""
        return self._state

    @property
    def link(self) -> LinkRef:
        """Whose inputs it gives."""
        return self._ref

    def hasten(self, *, now: float) -> None:
        """Have the server acknowledge soon what it has of ours, once all that waits is on its way."""
        self._clock.pass_time(now)
        self._hastening = self._told

    def measure(self, then: Callable[[float | None], None], *, now: float) -> None:
        """Tell ``then`` how many seconds it is to the server and back, once measured; None: there is no way now."""
        self._clock.pass_time(now)
        self._signals.measure(then, self._clock.now)

    @property
    def timers(self) -> dict[Timer, float]:
        """The timers that run, and when each is due; those of the peers are not among them."""
        due, ping = self._timers.due(), self._signals.deadline()
        return due if ping is None else {**due, Timer.PING: ping}

    @property
    def busy(self) -> bool:
        """Whether many packets are on their way, so that another may as well go with those that come after it."""
        return self._connections.busy

    def commands(self) -> list[Command | PortCommand]:
        """Take what the network is to do, in order."""
        self._flush()
        commands = self._commands.copy()
        self._commands.clear()
        return commands

    def news(self) -> list[LinkInput | Arrived]:
        """Take what came of it: inputs of the room's link, and packets."""
        if self._told:
            self._news += self._connections.arrivals.foreign(self._ref)
        news, self._news = self._news, []
        return news

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        return earlier(earlier(self._timers.deadline, self._signals.deadline()), self._connections.deadline())

    # --- commands

    def open(self, *, now: float) -> None:
        """Begin.  The answer is LinkOpened or LinkFailed."""
        self._clock.pass_time(now)
        if not self._move(SignalTrigger.OPEN):
            msg = "a SignalSession is opened once: make a new one"
            raise LocalProtocolError(msg)
        self._dial()

    def execute(self, command: RoomCommand, *, now: float) -> None:
        """Carry a command to the link out."""
        self._clock.pass_time(now)
        if self._state is SignalState.CLOSED:
            return
        match command:
            case SendData():
                self._send(command)
            case CloseLink():
                self._close(command.drain)
            case SetAttributes() | PublishMicrophone() | SubscribeTrack():
                self._news += self._room.execute(command, here=self._state in _HERE)
            case _:
                msg = f"a SignalSession carries out what goes to its link, not {type(command).__name__}"
                raise LocalProtocolError(msg)

    def abandon(self, *, now: float) -> None:
        """Let go of everything now, saying so to the server, without waiting for its answer."""
        self._clock.pass_time(now)
        if self._state is not SignalState.CLOSED:
            self._finish(CloseReason.CLIENT, "")

    # --- inputs

    def receive(self, inp: NetworkInput | PortInput, *, now: float) -> None:
        """Take what the network says."""
        self._clock.pass_time(now)
        if self._state is SignalState.CLOSED:
            return
        match inp:
            case DatagramsReceived() | PortOpened() | PortClosed():
                if self._connections.take(inp, self._clock.now):
                    self._after_transport()
            case FrameReceived() if inp.link == self._signals.link and self._signals.open:
                response = self._signals.read(inp, self._clock.now)
                if response is not None:
                    self._on_response(response)
            case SocketOpened() if inp.link == self._signals.link:
                self._on_socket(inp.place)
            case SocketClosed() if inp.link == self._signals.link:
                self._signals.gone()
                self._on_socket_closed(inp)
            case Fetched() | FetchFailed():
                refusal = self._dialing.answered(inp)
                if refusal is not None:
                    self._finish(*refusal)
            case _:
                pass  # of a socket that was given up, or an acknowledgement

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        self._clock.pass_time(now)
        self._connections.handle_timeout(self._clock.now)
        self._after_transport()
        if self._signals.is_dead(self._clock.now):
            self._lost(livekit.ReconnectReason.RR_SIGNAL_DISCONNECTED)
        while (timer := self._timers.pop_due(self._clock.now)) is not None:
            self._expired(timer)

    def _expired(self, timer: Timer) -> None:
        match timer:
            case Timer.STAGE if self._state is SignalState.CONNECTING:
                self.failed_at_ice = not self._reached
                self._finish(CloseReason.UNREACHABLE, _NO_DATAGRAMS if self.failed_at_ice else _NO_CHANNELS)
            case Timer.STAGE if self._state is SignalState.RESUMING and not self._resuming.taken_back:
                self._signals.hang_up()
                self._try_again()
            case Timer.STAGE if self._state is SignalState.RESUMING:
                self._finish(CloseReason.NETWORK, _NOT_BACK)
            case Timer.STAGE if self._state is SignalState.LEAVING:
                self._lost(livekit.ReconnectReason.RR_SIGNAL_DISCONNECTED)
            case Timer.STAGE:
                self._finish(CloseReason.NETWORK, "the server closed our channels")
            case Timer.RETRY:
                self._resuming.dialed()
                self._dialing.resume(self._room.sid, self._resuming.reason)
            case Timer.CLOSE if not self._leaving.said:
                self._leaving.emptied = True
                self._leave()
            case _:
                self._finish(CloseReason.CLIENT, "")

    # --- joining

    def _dial(self) -> None:
        """Open a socket to join; of one peer connection with its offer, of two the offer comes later."""
        self._dialing.join(self._connections.begin(self._clock.now) if self._dialing.one else None)

    def _on_socket(self, place: Place) -> None:
        self._connections.place = place
        self._signals.opened(self._clock.now)
        self._move(SignalTrigger.SOCKET)

    def _on_socket_closed(self, inp: SocketClosed) -> None:
        match self._state:
            case SignalState.OPEN if self._connections.closed:
                self._finish(CloseReason.NETWORK, inp.detail)
            case SignalState.DIALING if self._dialing.fall_back(inp.status) or self._dialing.try_next():
                self._move(SignalTrigger.AGAIN)
                self._dial()
            case SignalState.DIALING if inp.status:
                self._move(SignalTrigger.REFUSED)
                self._dialing.ask(inp.status)
            case SignalState.DIALING | SignalState.JOINING:
                self._finish(inp.reason, inp.detail)
            case SignalState.RESUMING if 0 < inp.status < _SERVER_ERRORS:
                self._finish(*read_refusal(inp.status, ""))
            case _:
                self._lost(livekit.ReconnectReason.RR_SIGNAL_DISCONNECTED)

    # --- what the server says

    def _on_response(self, response: livekit.SignalResponse) -> None:
        if response.join is not None:
            self._on_join(response.join)
        elif response.leave is not None:
            self._on_leave(response.leave)
        elif response.reconnect is not None:
            self._on_reconnect(response.reconnect)
        elif self._state in _JOINING:
            pass  # nothing else comes before we are in
        elif response.answer is not None:
            self._connections.answered(response.answer, self._clock.now)
            self._after_transport()
        elif response.offer is not None:
            self._on_offer(response.offer)
        elif response.trickle is not None:
            self._connections.trickle(response.trickle, self._clock.now)
            self._after_transport()
        else:
            self._tell(self._room.read(response))
            if self._room.token is not None:
                self._dialing.token = self._room.token.reveal()

    def _on_join(self, join: livekit.JoinResponse) -> None:
        if self._state is SignalState.RESUMING:
            self._finish(CloseReason.NETWORK, "the server let us in anew, and does not know where we were")
            return
        if self._state is not SignalState.JOINING:
            return
        if join.alternative_url and self._dialing.go_elsewhere(join.alternative_url, self._connections.place):
            self._signals.hang_up()
            self._move(SignalTrigger.AGAIN)
            self._dial()
            return
        if join.participant is None or not join.participant.identity:
            self._finish(CloseReason.PROTOCOL, "the server says that we are in, and not who we are")
            return
        self._move(SignalTrigger.JOINED)
        self._signals.keep(join)
        self._tell(self._room.begin(join, join.participant))
        self._timers.arm(Timer.STAGE, self._clock.now + self._limits.ice_seconds)
        if not self._dialing.one:
            self._connections.two = join.subscriber_primary
            self._signals.send(livekit.SignalRequest(offer=self._connections.begin(self._clock.now)))
        self._after_transport()

    def _on_offer(self, offer: livekit.SessionDescription) -> None:
        if self._dialing.one:
            return  # there is nothing to be offered
        answer = self._connections.answer(offer, self._clock.now)
        if answer is not None:
            self._signals.send(livekit.SignalRequest(answer=answer))
        self._after_transport()

    def _on_leave(self, leave: livekit.LeaveRequest) -> None:
        if self._state is SignalState.LEAVING:
            self._finish(CloseReason.CLIENT, "")
        elif self._told and leave.action is livekit.LeaveAction.RESUME:
            self._lost(livekit.ReconnectReason.RR_UNKNOWN)
        else:
            self.elsewhere = self._dialing.elsewhere(leave, self._connections.place)
            self._signals.hang_up()
            self._finish(*read_leave(leave))

    # --- packets

    def _arrived(self, message: bytes) -> None:
        """A message came on a channel of packets."""
        if not self._told:
            self._connections.arrivals.keep(message)
            return
        arrived = self._connections.arrivals.read(message)
        if arrived is not None:
            self._news.append(arrived)

    def _send(self, command: SendData) -> None:
        problem = self._connections.put(command) if self._state in _HERE else "we are not in the room"
        if problem:
            self._news.append(SendAcknowledged(link=self._ref, token=command.token, error=problem))

    def _flush(self) -> None:
        """Hand on what waits, as far as there is room."""
        if self._connections.waiting and self._told and self._state is not SignalState.CLOSED:
            self._connections.flush(self._clock.now)
            # Nothing is acknowledged by it, but a peer may fail at it.
            self._after_happenings()
        if self._hastening and not self._connections.waiting:
            self._hastening = False
            self._connections.hasten(self._room.identity, self._clock.now)

    def _after_transport(self) -> None:
        """Something may have changed with a peer: channels, acknowledgements, its end."""
        if self._state is SignalState.CLOSED:
            return
        connections = self._connections
        tokens = connections.acknowledged(self._resuming.last)
        if tokens:
            self._tell([SendsAcknowledged(link=self._ref, tokens=tokens)])
        self._after_happenings()

    def _after_happenings(self) -> None:
        # In an open room packets come and go, and nothing else is about to happen.
        if self._connections.stirred() or self._state is not SignalState.OPEN:
            self._look_at_peers()

    def _look_at_peers(self) -> None:
        connections = self._connections
        if connections.failed and self._state is not SignalState.LEAVING:
            self._finish(CloseReason.NETWORK if self._told else CloseReason.UNREACHABLE, connections.failed)
            return
        match self._state:
            case SignalState.CONNECTING if connections.connected:
                self._opened()
            case SignalState.CONNECTING if connections.reached and not self._reached:
                # What is left loses datagrams too, and sends them again after seconds.
                self._reached = True
                self._timers.arm(Timer.STAGE, self._clock.now + self._limits.ice_seconds)
            case SignalState.RESUMING if self._resuming.taken_back and connections.connected:
                self._back()
            case SignalState.OPEN if connections.closed:
                self._timers.hasten(Timer.STAGE, self._clock.now + _LAST_WORD)
            case SignalState.OPEN if connections.lost is not None:
                self._lost(connections.lost)
            case SignalState.LEAVING if not self._leaving.said:
                self._leaving.go_on(self._room.identity)
                self._leave()
            case _:
                pass

    def _opened(self) -> None:
        self._timers.disarm(Timer.STAGE)
        self._move(SignalTrigger.CHANNELS)
        self._told = True
        arrivals = self._connections.arrivals
        self._tell(self._room.opened())
        self._news += arrivals.early
        arrivals.early.clear()
        if arrivals.dropped:
            self._tell([PacketsDropped(link=self._ref, count=arrivals.dropped)])

    # --- resuming

    def _lost(self, reason: livekit.ReconnectReason) -> None:
        """Socket or channels are lost: begin to resume, or end what had not begun."""
        silent = self._signals.silent(self._clock.now)
        self._signals.hang_up()
        match self._state:
            case SignalState.OPEN:
                self._move(SignalTrigger.LOST)
                self._tell([LinkReconnecting(link=self._ref), LinkSilent(link=self._ref, seconds=silent)])
                self._resuming.begin(reason)
                self._try_again()
            case SignalState.RESUMING:
                self._try_again()
            case SignalState.LEAVING if self._leaving.said or not self._told:
                self._finish(CloseReason.CLIENT, "")
            case SignalState.LEAVING if self._leaving.called:
                self._leaving.hung_up()
                self._leave()
            case SignalState.LEAVING:
                self._call()
            case _:
                self._finish(CloseReason.NETWORK, f"the socket is lost, {silent:.0f} s after the server's last word")

    def _try_again(self) -> None:
        self._room.full_list_due = False
        if not self._resuming.again():
            self._finish(CloseReason.NETWORK, _NOT_BACK)

    def _on_reconnect(self, response: livekit.ReconnectResponse) -> None:
        if not (self._state is SignalState.RESUMING or self._leaving.calling) or self._resuming.taken_back:
            return
        self._resuming.accepted(response)
        if self._leaving.calling:
            self._leaving.hung_up()
        self._signals.send(livekit.SignalRequest(sync_state=self._connections.sync_state()))
        self._signals.send(livekit.SignalRequest(offer=self._connections.begin_anew()))
        self._room.resumed()
        self._after_transport()

    def _back(self) -> None:
        self._resuming.over()
        self._move(SignalTrigger.RESUMED)
        self._tell([LinkReconnected(link=self._ref)])

    # --- leaving

    def _close(self, drain: float) -> None:
        if self._state in _JOINING:
            self._finish(CloseReason.CLIENT, "")
            return
        unheard = self._state is SignalState.RESUMING and not self._resuming.taken_back
        if self._move(SignalTrigger.LEAVE):
            self._timers.disarm(Timer.STAGE)
            self._timers.disarm(Timer.RETRY)
            self._leaving.begin(drain)
            if unheard:
                self._call()
            self._flush()
            self._after_transport()

    def _call(self) -> None:
        """The server does not hear us: have another socket, if none is on its way, to say by it that we leave."""
        self._resuming.taken_back = False
        self._leaving.call()
        if self._signals.link is None:
            self._dialing.resume(self._room.sid, livekit.ReconnectReason.RR_SIGNAL_DISCONNECTED)

    def _leave(self) -> None:
        """Say that we leave, once nothing of ours is on its way, and wait for the server's word."""
        if not self._leaving.emptied or self._leaving.calling:
            return
        if not self._signals.open:
            self._finish(CloseReason.CLIENT, "")
            return
        self._signals.say_leave()
        self._leaving.say()

    def _finish(self, reason: CloseReason, detail: str) -> None:
        staying = self._state in _STAYING and not self._leaving.said
        self._move(SignalTrigger.ENDED)
        if staying:
            self._signals.say_leave()
        self._timers.clear()
        self._signals.hang_up()
        self._connections.close()
        self._tell(self._connections.arrivals.foreign(self._ref))
        if self._told or reason is CloseReason.CLIENT:
            self._news.append(LinkClosed(link=self._ref, reason=reason, detail=detail))
        else:
            self._news.append(LinkFailed(link=self._ref, reason=reason, detail=detail))

    # --- helpers

    def _tell(self, news: Iterable[LinkInput]) -> None:
        """Tell it; before LinkOpened it only becomes a part of what that tells."""
        if self._told:
            self._news += news
        else:
            deque(news, maxlen=0)

    def _move(self, trigger: SignalTrigger) -> bool:
        """Make a move of the table.  False: it has none."""
        new = SIGNAL_TRANSITIONS.get((self._state, trigger))
        if new is None:
            return False
        self._state = new
        return True
