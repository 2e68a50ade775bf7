"""The LiveKit link over our own engine: one room after the other, no thread, no sound and no pictures.

Everything is decided by a SignalSession of the core; this moves its commands to the net, and its news to the room.
"""

from __future__ import annotations

from collections import deque
from threading import Event
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.commands import CloseLink, OpenLink, SendData, SendDatagrams, SendFrame
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import LinkClosed, SendsAcknowledged
from dcl_comms_core.livekit.arrivals import Arrived
from dcl_comms_core.livekit.session import SignalSession
from dcl_comms_core.states import CloseReason
from dcl_comms_core.states.livekit import SignalState
from dcl_comms_core.tools.timers import earlier
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
from dcl_comms_drivers.livekit.rejoin import GHOSTS, Who

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input, LinkInput, PortInput
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import NewPeer
    from dcl_comms_drivers.loops.host import Receiver
    from dcl_comms_drivers.net.link import NetLink

__all__ = ["RtcLink", "load_peer"]

_NEWEST: Final = "close_channel"
"""What came last of what we use: it is installed by itself, and may be older."""


def load_peer() -> NewPeer:
    """What makes WebRTC peers.

    EngineUnavailable: ``dcl_comms_rtc`` is not installed, or older than this, or this interpreter can't load it.
    """
    try:
        from dcl_comms_rtc import Peer  # noqa: PLC0415 - a package of its own, which not everybody has
    except ModuleNotFoundError as error:
        advice = "build it from a checkout, make rtc, or use engine='livekit'"
        raise EngineUnavailable(EngineProblem.NO_RTC, advice) from error
    except ImportError as error:
        # A sub-interpreter, or a build for another system.
        detail = f"{str(error).splitlines()[0]}; use the main interpreter, and what make rtc built on this machine"
        raise EngineUnavailable(EngineProblem.RTC_NOT_LOADED, detail) from error
    if not hasattr(Peer, _NEWEST):
        raise EngineUnavailable(EngineProblem.OLD_RTC, "build it again from this checkout, make rtc")
    return Peer


class _Held(NamedTuple):
    """A join that waits for an earlier one of the same identity, which was given up, to be over."""

    command: OpenLink
    until: float
    over: Event


class RtcLink:
    """The ``Link`` protocol of ``dcl_comms_drivers.loops.host``.

    ``net``: what it reaches the network by, for itself alone.  ``new_peer``: makes a WebRTC peer.
    ``wake``: see NetLink.  ``entropy``: seeds the jitter of pauses.  ``bundles``: where many packets go out, those that
    are said in one turn wait for its end, as a wake brings the next one soon; who is polled sends at once.
    """

    name: ClassVar[str] = "rtc"

    def __init__(
        self,
        wake: Callable[[], None],
        net: NetLink,
        new_peer: NewPeer,
        *,
        limits: Limits,
        entropy: int = 0,
        bundles: bool = False,
    ) -> None:
        self._wake = wake
        self._net = net
        net.at_ports = self
        self._new_peer = new_peer
        self._limits = limits
        self._entropy = entropy
        self._bundles = bundles
        self._session: SignalSession | None = None
        self._who: Who | None = None
        self._held: _Held | None = None
        self._left: deque[LinkInput | Arrived] = deque()
        """News that there was no time for."""
        self._dirty = False
        """Whether something waits for the next turn to be sent."""
        self._said = 0
        """Packets since the last were handed on."""
        self._crowd = False
        """Whether those were several."""
        self._due: float | None = None
        """When the session wants to be woken: asked for after each packet, and no other for it."""
        self._asking: list[Callable[[float | None], None]] = []
        """Who wants to know the round trip."""
        self._hastening = False
        """Whether somebody waits for acknowledgements."""

    @property
    def failed_at_ice(self) -> bool:
        """Whether the last attempt failed because no datagram reached the server."""
        return self._session is not None and self._session.failed_at_ice

    # --- the room's commands

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out; what comes of it arrives through ``drain``."""
        if isinstance(command, OpenLink):
            self._open(command, now)
            return
        held, session = self._held, self._session
        if held is not None and isinstance(command, CloseLink) and held.command.link == command.link:
            self._held = None
            self._left.append(LinkClosed(link=command.link, reason=CloseReason.CLIENT))
            self._wake()
            return
        if session is None or session.link != command.link:
            return  # for an attempt that is over: its last word has been said
        given_up = isinstance(command, CloseLink) and session.state is SignalState.DIALING
        session.execute(command, now=now)  # type: ignore[arg-type]  # of this link there are no others
        if isinstance(command, SendData):
            self._said += 1
            if self._bundles and (self._crowd or session.busy):
                # What else is said in this turn goes out with it.
                if not self._dirty:
                    self._dirty = True
                    self._wake()
                return
        self._carry_out(now)
        if given_up and self._who is not None:
            self._net.when_parted(GHOSTS.appear(self._who))
        if self._left:
            self._wake()

    def _open(self, command: OpenLink, now: float) -> None:
        adapter = command.adapter
        if not isinstance(adapter, LiveKitAdapter):
            msg = f"a LiveKit link opens livekit: strings, not {adapter.protocol}:"
            raise LocalProtocolError(msg)
        before = self._session
        if before is not None and before.state is not SignalState.CLOSED:
            # A session opens its next attempt after the last one has ended; this is for others.
            before.abandon(now=now)
            self._carry_out(now)
            self._left.clear()
            self._left.append(LinkClosed(link=before.link, reason=CloseReason.CLIENT))
        over = Event()

        def clear() -> None:
            over.set()
            self._wake()

        self._who = Who.of(adapter)
        seconds = GHOSTS.wait(self._who, clear, self._limits.rejoin_seconds)
        if seconds:
            self._held = _Held(command, now + seconds, over)
        else:
            self._begin(command, adapter, now)

    def _begin(self, command: OpenLink, adapter: LiveKitAdapter, now: float) -> None:
        before = self._session
        self._session = SignalSession(
            adapter,
            link=command.link,
            new_peer=self._new_peer,
            within=command.within,
            elsewhere=None if before is None else before.elsewhere,
            limits=self._limits,
            entropy=self._entropy + command.link.generation,
        )
        self._session.open(now=now)
        self._carry_out(now)

    # --- turns

    def receive(self, inp: Input | PortInput, *, now: float) -> None:
        """Take what the net has to say."""
        if self._session is not None:
            self._session.receive(inp, now=now)  # type: ignore[arg-type]  # a net has no others

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs.  True: more are waiting."""
        held = self._held
        if held is not None and (held.over.is_set() or now >= held.until):
            self._held = None
            assert isinstance(held.command.adapter, LiveKitAdapter)  # noqa: S101 - it was opened
            self._begin(held.command, held.command.adapter, now)
        more = self._net.drain(self, now=now, limit=limit) if len(self._left) < limit else True
        ours = self._session
        if ours is not None:
            if self._due is not None and self._due <= now:
                ours.handle_timeout(now)
            while self._asking:
                ours.measure(self._asking.pop(), now=now)
            if self._hastening:
                self._hastening = False
                ours.hasten(now=now)
        self._carry_out(now)
        self._deliver(session, now, limit)
        return more or bool(self._left)

    def _carry_out(self, now: float) -> None:
        """Give the net what it is to do, and keep the news."""
        self._dirty = False
        if self._said:
            self._crowd, self._said = self._said > 1, 0
        if self._session is not None:
            for command in self._session.commands():
                self._net.execute(command, now=now)
            self._left += self._session.news()
            self._due = self._session.deadline()

    def _deliver(self, session: Receiver, now: float, limit: int) -> None:
        left = self._left
        for _ in range(min(limit, len(left))):
            news = left.popleft()
            if isinstance(news, Arrived):
                sender, data, reliable, topic = news
                session.receive_data(sender, data, reliable=reliable, topic=topic, now=now)
            elif isinstance(news, SendsAcknowledged):
                session.receive_acknowledged(news.tokens, now=now)
            else:
                session.receive(news, now=now)

    def deadline(self) -> float | None:
        """When ``drain`` must be called although nothing woke us; None: not needed."""
        return self._due if self._held is None else earlier(self._due, self._held.until)

    def measure(self, then: Callable[[float | None], None]) -> None:
        """How many seconds it is to the server and back; None: there is no way there."""
        if self._session is None:
            then(None)
            return
        self._asking.append(then)
        self._wake()

    def hasten(self) -> None:
        """Have the server acknowledge soon what it has."""
        self._hastening = True
        self._wake()

    def abandon(self) -> None:
        """Let go of everything now; the server is told, if we are in a room."""
        session, self._session = self._session, None
        self._due = self._held = None
        ghost = None
        if session is not None and self._who is not None and session.state is SignalState.DIALING:
            ghost = GHOSTS.appear(self._who)
        while self._asking:
            self._asking.pop()(None)
        if session is not None:
            session.abandon(now=0.0)
            for command in session.commands():
                # Sockets and ports are closed without a word below: the loop may be gone that would wait for one.
                if isinstance(command, SendFrame | SendDatagrams):
                    self._net.execute(command, now=0.0)
        self._left.clear()
        self._net.abandon(ghost)
