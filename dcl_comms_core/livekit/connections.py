"""The peer connections of a room, one for both directions or one for each, with the packets that go through them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.inputs import DatagramsReceived, PortOpened
from dcl_comms_core.livekit.arrivals import Arrivals
from dcl_comms_core.livekit.candidates import read_trickle
from dcl_comms_core.livekit.channels import Channels
from dcl_comms_core.livekit.labels import CHANNELS
from dcl_comms_core.livekit.transport import Transport
from dcl_comms_core.proto import livekit
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command, PortCommand, SendData
    from dcl_comms_core.inputs import LinkRef, PortClosed
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import NewPeer

__all__ = ["Connections"]


class Connections:
    """Of one session.  ``number``: gives ports numbers; ``put``: takes commands; ``arrived``: takes messages.

    ``reached_at``: takes the candidates of ours that the server is to be told, of the connection that it offers.
    """

    __slots__ = (
        "_arrived", "_channels", "_into", "_limits", "_new_peer", "_number", "_offers", "_out", "_put",
        "_reached_at", "all", "arrivals", "place", "two",
    )  # fmt: skip

    def __init__(
        self,
        new_peer: NewPeer,
        *,
        number: Callable[[], LinkRef],
        put: Callable[[Command | PortCommand], None],
        arrived: Callable[[bytes], None],
        reached_at: Callable[[str], None],
        limits: Limits,
    ) -> None:
        self._reached_at = reached_at
        self._new_peer = new_peer
        self._number = number
        self._put = put
        self._arrived = arrived
        self._limits = limits
        self._offers = count(1)
        self._out: Transport | None = None
        self._into: Transport | None = None
        self._channels: Channels | None = None
        self.all: tuple[Transport, ...] = ()
        """Those that there are."""
        self.arrivals = Arrivals(limits)
        self.place = Place.RESERVED
        """Where the server is."""
        self.two = False
        """Whether the server is to offer one of its own."""

    def _new(self, now: float, reached_at: Callable[[str], None] | None = None) -> Transport:
        transport = Transport(
            self._new_peer, now, number=self._number, put=self._put, arrived=self._arrived, limits=self._limits,
            reached_at=reached_at,
        )  # fmt: skip
        self.all = (*self.all, transport)
        return transport

    # --- descriptions

    def begin(self, now: float) -> livekit.SessionDescription | None:
        """Offer one; None: none could be made."""
        self.all = ()
        self._out = self._new(now)
        offer = self._out.offer(next(self._offers), CHANNELS)
        if offer is not None:
            reliable, lossy = self._out.numbers
            self._channels = Channels(reliable, lossy, self._limits.send_queue_bytes)
        return offer

    def begin_anew(self) -> livekit.SessionDescription | None:
        """Offer that ICE begins anew."""
        assert self._out is not None  # noqa: S101 - the room was open
        return self._out.offer(next(self._offers), restart=True)

    def answered(self, answer: livekit.SessionDescription, now: float) -> None:
        """The server answers our offer."""
        assert self._out is not None  # noqa: S101 - who is in has offered something
        self._out.answered(answer, self.place, now)

    def answer(self, offer: livekit.SessionDescription, now: float) -> livekit.SessionDescription | None:
        """Answer the server's offer; None: it can't be taken."""
        if self._into is None:
            self._into = self._new(now, self._reached_at)
        return self._into.answer(offer, self.place, now)

    def trickle(self, trickle: livekit.TrickleRequest, now: float) -> None:
        """The server can be reached there."""
        transport = self._into if trickle.target is livekit.SignalTarget.SUBSCRIBER else self._out
        candidate = read_trickle(trickle.candidate_init, self.place)
        if transport is not None and candidate is not None:
            transport.reach(candidate, now)

    def sync_state(self) -> livekit.SyncState:
        """Where we were: what a server that does not know it any more needs of us."""
        main = self._into or self._out
        assert main is not None  # noqa: S101 - the room was open
        targets = (livekit.SignalTarget.PUBLISHER, livekit.SignalTarget.SUBSCRIBER)[: len(self.all)]
        return livekit.SyncState(
            answer=main.taken,
            offer=main.offered,
            subscription=livekit.UpdateSubscription(subscribe=True),
            data_channels=[
                livekit.DataChannelInfo(label=label, target=target) for target in targets for label, *_ in CHANNELS
            ],
            datachannel_receive_states=self.arrivals.newest,
        )

    # --- the network

    def take(self, inp: DatagramsReceived | PortOpened | PortClosed, now: float) -> bool:
        """Take what a port tells.  False: it is none of ours."""
        for transport in self.all:
            if transport.owns(inp.link):
                if isinstance(inp, DatagramsReceived):
                    transport.receive(inp, now)
                elif isinstance(inp, PortOpened):
                    transport.port_opened(inp, now)
                else:
                    transport.port_closed(inp)
                return True
        return False

    def deadline(self) -> float | None:
        """When one of them wants to be woken."""
        due: float | None = None
        for transport in self.all:
            due = earlier(due, transport.deadline)
        return due

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        for transport in self.all:
            transport.handle_timeout(now)

    def close(self) -> None:
        """End all."""
        for transport in self.all:
            transport.close()
        self.arrivals.early.clear()

    # --- packets

    @property
    def busy(self) -> bool:
        """Whether many of ours are on their way."""
        return self._channels is not None and self._channels.busy

    @property
    def waiting(self) -> bool:
        """Whether a packet of ours waits to be handed on."""
        return self._channels is not None and self._channels.waiting

    @property
    def drained(self) -> bool:
        """Whether no reliable packet of ours waits for anything."""
        return self._channels is None or self._channels.drained

    def hasten(self, identity: str, now: float) -> bool:
        """Have the server acknowledge what is on its way, once all is; whether that was done.

        ``identity``: ours.
        """
        return self._channels is not None and self._out is not None and self._channels.hasten(self._out, identity, now)

    def end(self, now: float) -> None:
        """Close the channel of our reliable packets: whether all of them were read is known by it."""
        if not self.ended:
            assert self._channels is not None  # noqa: S101 - something went through it
            assert self._out is not None  # noqa: S101
            self._out.close_channel(self._channels.reliable.number, now)

    @property
    def ended(self) -> bool:
        """Whether no channel of our reliable packets is open, or nothing ever went through it."""
        channels, out = self._channels, self._out
        return channels is None or out is None or not channels.used or channels.reliable.number not in out.working

    def put(self, command: SendData) -> str:
        """Have a packet sent.  Gives why it can't be, or nothing."""
        assert self._channels is not None  # noqa: S101 - the room is open
        return self._channels.put(command)

    def flush(self, now: float) -> None:
        """Hand on what waits, as far as there is room."""
        assert self._channels is not None  # noqa: S101 - the room is open
        assert self._out is not None  # noqa: S101
        self._channels.flush(self._out, now)

    def acknowledged(self, last: int) -> tuple[int, ...]:
        """The tokens of packets that the server has since the last call.

        ``last``: the newest number that it had when it took us back, in case our channels began anew since.
        """
        channels, out = self._channels, self._out
        if channels is None or out is None:
            return ()
        again: tuple[int, ...] = ()
        if out.reopened:
            out.reopened = False
            again = channels.again(last)
        return again + channels.acknowledged(out)

    # --- how they are

    def stirred(self) -> bool:
        """Whether one of them may be otherwise than at the last call: packets alone change nothing of it."""
        stirred = False
        for transport in self.all:
            if transport.stirred:
                transport.stirred = False
                stirred = True
        return stirred

    @property
    def failed(self) -> str:
        """Why one of them is of no use any more; empty: none is."""
        return next((one.failed for one in self.all if one.failed), "")

    @property
    def closed(self) -> bool:
        """Whether the server ended one of them, or our channels."""
        return any(one.closed for one in self.all) or (self._out is not None and not self._out.ready)

    @property
    def connected(self) -> bool:
        """Whether our channels are open, and datagrams go both ways since ICE began last."""
        if self.closed or len(self.all) < (2 if self.two else 1):
            return False
        return all(one.connected and not one.restarting for one in self.all)

    @property
    def reached(self) -> bool:
        """Whether datagrams go both ways through all that there are."""
        return bool(self.all) and self.lost is None

    @property
    def lost(self) -> livekit.ReconnectReason | None:
        """Which of them datagrams don't go through any more; None: they do."""
        reasons = livekit.ReconnectReason.RR_PUBLISHER_FAILED, livekit.ReconnectReason.RR_SUBSCRIBER_FAILED
        pairs = zip((self._out, self._into), reasons, strict=True)
        return next((reason for one, reason in pairs if one is not None and not one.connected), None)
