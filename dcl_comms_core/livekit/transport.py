"""One peer connection of a LiveKit room: a WebRTC peer, the ports that it sends from, what comes of both.

A port is asked for once the server says where it can be reached, as the way there decides which address of ours the
peer has.  A server learns where we are by the peer's first datagram; but where it chooses the way, which is on the
connection that it offers, it waits a second with an address that it was not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.commands import ClosePort, OpenPort, SendDatagrams
from dcl_comms_core.livekit.candidates import credentials_of, read_candidate, without_candidates
from dcl_comms_core.livekit.labels import LOSSY, RELIABLE
from dcl_comms_core.livekit.webrtc import FAULTS
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.inputs import DatagramsReceived, LinkRef, PortClosed, PortOpened
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.candidates import Candidate
    from dcl_comms_core.livekit.webrtc import Address, Channel, Happening, NewPeer, Output, Route

__all__ = ["Transport"]

_LABELS: Final = frozenset({RELIABLE, LOSSY})
_UP: Final = frozenset({"ice-connected", "ice-completed"})


class _Port:
    """A port of ours, from when it is asked for."""

    __slots__ = ("link", "local", "six", "tcp", "towards", "waiting")

    def __init__(self, link: LinkRef, candidate: Candidate) -> None:
        self.link = link
        self.tcp = candidate.tcp
        self.towards = candidate.address
        self.six = ":" in candidate.address[0]
        self.local: Address | None = None
        self.waiting: list[Candidate] = []
        """What is to be tried once it is there."""


class Transport:
    """``number``: gives ports numbers; ``put``: takes commands; ``arrived``: takes messages of the packets' channels.

    ``reached_at``: takes the candidates of our ports, where the server is to be told of them.

    ``failed`` says why the peer is of no use any more; empty: it is.
    """

    __slots__ = (
        "_arrived", "_limits", "_number", "_peer", "_ports", "_put", "_reached_at", "_shut", "_tried",
        "_unanswered", "closed", "connected", "deadline", "failed", "numbers", "offered", "reopened", "restarting",
        "stirred", "taken", "working",
    )  # fmt: skip

    def __init__(
        self,
        new: NewPeer,
        now: float,
        *,
        number: Callable[[], LinkRef],
        put: Callable[[Command | PortCommand], None],
        arrived: Callable[[bytes], None],
        limits: Limits,
        reached_at: Callable[[str], None] | None = None,
    ) -> None:
        self._reached_at = reached_at
        self._number = number
        self._put = put
        self._arrived = arrived
        self._limits = limits
        self._ports: dict[LinkRef, _Port] = {}
        self._tried: set[str] = set()
        self.deadline: float | None = None
        """When the peer wants to be woken."""
        self.connected = False
        """Whether datagrams reach the server, as far as the peer knows."""
        self.restarting = False
        """Whether ICE begins anew, so that what is known of the way is of the one before."""
        self.closed = False
        """Whether the server ended it, and said so."""
        self.failed = ""
        self.stirred = True
        """Whether any of these may have changed since this was reset."""
        self.numbers: list[int] = []
        """The channels that we offered."""
        self.working: set[int] = set()
        """The channels of packets that are open."""
        self.reopened = False
        """Whether a channel opened that had been closed: what it held is lost."""
        self._shut: set[int] = set()
        self.offered = livekit.SessionDescription()
        """The last offer that was answered, on either side."""
        self.taken = livekit.SessionDescription()
        """Its answer."""
        self._unanswered: livekit.SessionDescription | None = None
        self._peer = new(now)

    @property
    def ready(self) -> bool:
        """Whether all channels that we offered are open."""
        return bool(self.numbers) and self.working.issuperset(self.numbers)

    # --- descriptions

    def offer(
        self, number: int, channels: Sequence[Channel] = (), *, restart: bool = False
    ) -> livekit.SessionDescription | None:
        """Offer number ``number``; None: none could be made."""
        if restart:
            self._begin_anew()
            self.restarting = self.stirred = True
        try:
            sdp, numbers = self._peer.offer(channels, restart=restart)
        except FAULTS as error:
            self._fail(error)
            return None
        self.numbers += numbers
        self._unanswered = livekit.SessionDescription(type="offer", sdp=sdp or "", id=number)
        return self._unanswered

    def answered(self, answer: livekit.SessionDescription, within: Place, now: float) -> None:
        """The server answers our offer; what answers another one is nothing."""
        offer = self._unanswered
        if offer is None or answer.id not in {0, offer.id}:
            return
        sdp, lines = without_candidates(answer.sdp)
        try:
            self._peer.accept_answer(sdp)
        except FAULTS as error:
            self._fail(error)
            return
        self._unanswered, self.offered, self.taken = None, offer, answer
        self._try_lines(lines, within, now)
        self._take_up(now)

    def answer(self, offer: livekit.SessionDescription, within: Place, now: float) -> livekit.SessionDescription | None:
        """Our answer to the server's offer; None: there is none."""
        sdp, lines = without_candidates(offer.sdp)
        if credentials_of(offer.sdp) != credentials_of(self.offered.sdp):
            self._begin_anew()
        try:
            text = self._peer.accept_offer(sdp)
        except FAULTS as error:
            self._fail(error)
            return None
        answer = livekit.SessionDescription(type="answer", sdp=text, id=offer.id)
        self.offered, self.taken = offer, answer
        self._try_lines(lines, within, now)
        self._take_up(now)
        return answer

    # --- candidates and ports

    def _begin_anew(self) -> None:
        """Another round of candidates begins, which may be those of the last one."""
        self._tried.clear()
        for port in self._ports.values():
            port.waiting.clear()

    def _try_lines(self, lines: list[str], within: Place, now: float) -> None:
        for line in lines:
            candidate = read_candidate(line, within)
            if candidate is not None:
                self.reach(candidate, now)

    def reach(self, candidate: Candidate, now: float) -> None:
        """The server can be reached there."""
        if candidate.line in self._tried or len(self._tried) >= self._limits.ice_candidates:
            return
        self._tried.add(candidate.line)
        # Of UDP one port goes everywhere in its family; of TCP each way has its own, in each round another.
        port = None if candidate.tcp else self._udp(candidate)
        if port is None:
            if len(self._ports) >= self._limits.ice_ports:
                self._give_back(next(iter(self._ports)))
            port = _Port(self._number(), candidate)
            self._ports[port.link] = port
            self._put(OpenPort(link=port.link, towards=candidate.address, tcp=candidate.tcp))
        if port.local is None:
            port.waiting.append(candidate)
        else:
            self._add(candidate, now)

    def _udp(self, candidate: Candidate) -> _Port | None:
        six = ":" in candidate.address[0]
        return next((port for port in self._ports.values() if not port.tcp and port.six is six), None)

    def _give_back(self, link: LinkRef) -> None:
        del self._ports[link]
        self._put(ClosePort(link=link))

    def _add(self, candidate: Candidate, now: float) -> None:
        try:
            self._peer.add_remote(candidate.line)
        except ValueError:
            return  # in a form that the peer does not know, or one too many
        except RuntimeError as error:
            self._fail(error)
            return
        self._take_up(now)

    def port_opened(self, inp: PortOpened, now: float) -> None:
        """A port that we own is there."""
        port = self._ports[inp.link]
        try:
            line = self._peer.add_local(inp.local, "tcp" if port.tcp else "udp")
        except ValueError:
            self._give_back(inp.link)  # nobody can be reached from there
            return
        except RuntimeError as error:
            self._fail(error)
            return
        port.local = inp.local
        if self._reached_at is not None and not port.tcp:
            self._reached_at(line)
        waiting, port.waiting = port.waiting, []
        for candidate in waiting:
            self._add(candidate, now)

    def port_closed(self, inp: PortClosed) -> None:
        """A port is none, or is gone."""
        self._ports.pop(inp.link, None)

    def owns(self, link: LinkRef) -> bool:
        """Whether this is a port of ours."""
        return link in self._ports

    # --- datagrams, messages, time

    def receive(self, inp: DatagramsReceived, now: float) -> None:
        """Datagrams came to a port that we own."""
        port = self._ports[inp.link]
        if port.local is None:
            return
        try:
            output = self._peer.receive(inp.datagrams, inp.remote, port.local, now, "tcp" if port.tcp else "udp")
        except FAULTS as error:
            self._fail(error)
        else:
            self._take(output)

    def send(self, messages: list[tuple[int, bytes]], now: float) -> int:
        """Send messages, as many as there is room for; gives how many."""
        try:
            sent, output = self._peer.send(messages, now)
        except FAULTS as error:
            self._fail(error)
            return 0
        self._take(output)
        return sent

    def buffered(self, channel: int) -> int:
        """How many bytes of a channel are not acknowledged."""
        try:
            return self._peer.buffered(channel)
        except FAULTS as error:
            self._fail(error)
            return 0

    def close_channel(self, channel: int, now: float) -> None:
        """Close a channel of ours; it works until the server has closed it too."""
        try:
            output = self._peer.close_channel(channel, now)
        except FAULTS as error:
            self._fail(error)
        else:
            self._take(output)

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if self.deadline is None or now < self.deadline:
            return
        try:
            output = self._peer.handle_timeout(now)
        except FAULTS as error:
            self._fail(error)
        else:
            self._take(output)

    def close(self) -> None:
        """End it, and give the ports back."""
        if not self.failed:
            try:
                self._take(self._peer.close())
            except FAULTS as error:
                self._fail(error)
            self.failed = self.failed or "closed"
        self.deadline = None
        for link in tuple(self._ports):
            self._give_back(link)

    def _take_up(self, now: float) -> None:
        # It checks what is new when it is told the time, and does not ask for that before it was told once.
        try:
            output = self._peer.handle_timeout(now)
        except FAULTS as error:
            self._fail(error)
        else:
            self._take(output)

    def _take(self, output: Output) -> None:
        datagrams, events, self.deadline = output
        if datagrams:
            self._send_out(datagrams)
        for happening in events:
            kind, channel, detail = happening
            if kind != "data":
                self._happened(happening)
            elif channel in self.working and isinstance(detail, bytes):
                self._arrived(detail)

    def _happened(self, happening: Happening) -> None:
        kind, channel, detail = happening
        self.stirred = True
        if kind in _UP:
            self.connected, self.restarting = True, False
        elif kind == "ice-checking":
            self.restarting = True
        elif kind == "ice-disconnected":
            self.connected = False
        elif kind == "open" and channel is not None and detail in _LABELS:
            self.reopened = self.reopened or channel in self._shut
            self._shut.discard(channel)
            self.working.add(channel)
        elif kind == "close" and channel in self.working:
            self.working.remove(channel)
            self._shut.add(channel)
        elif kind == "closed":
            self.closed = True

    def _send_out(self, datagrams: Sequence[tuple[Route, bytes]]) -> None:
        """Send them, those of one way together."""
        last: Route | None = None
        batch: list[bytes] = []
        for route, datagram in datagrams:
            if route is not last:
                last = route
                batch = []
                port = self._port_of(route)
                if port is not None:
                    self._put(SendDatagrams(link=port, to=route[2], datagrams=batch))
            batch.append(datagram)

    def _port_of(self, route: Route) -> LinkRef | None:
        protocol, local, remote = route
        tcp, found = protocol == "tcp", None
        # Those that call have one address, whomever they call; who is called again hangs up on the call before.
        for port in reversed(self._ports.values()):
            if port.tcp is tcp and port.local == local:
                if not tcp or port.towards == remote:
                    return port.link
                found = found or port.link  # the same address in another form
        return found

    def _fail(self, error: Exception) -> None:
        self.failed = str(error) or type(error).__name__
        self.stirred = True
        self.connected = False
        self.deadline = None
