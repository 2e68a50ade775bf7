"""The side that connects: one connection at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.enet import wire
from dcl_comms_core.enet.ground import Ground
from dcl_comms_core.enet.peer import EnetPeer
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.states import EnetState

if TYPE_CHECKING:
    from dcl_comms_core.enet.counts import EnetCounts
    from dcl_comms_core.enet.delivery import Delivery
    from dcl_comms_core.enet.options import EnetOptions
    from dcl_comms_core.enet.peer import EnetEvent
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.states import Timer

__all__ = ["EnetClient"]


class EnetClient:
    """ENet without IO, for one connection to one address.

    Whatever goes in may make datagrams and events: take both after each call, and call :meth:`handle_timeout` at
    :meth:`deadline`::

        client = EnetClient(entropy=seed)
        client.connect(now=now)
        ...
        client.receive(datagram, now=now)
        for datagram in client.datagrams(now=now): ...
        for event in client.events(): ...

    ``entropy``: 64 bits that nobody can guess, for connect ids and the clock's beginning.  Only who sends from the
    server's own address may be heard: that is the driver's part, by a connected socket or by looking.
    """

    def __init__(self, *, entropy: int, options: EnetOptions | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._ground = Ground(entropy, options, limits)
        self.peer = EnetPeer(self._ground, None)
        """The connection as it is now; the next :meth:`connect` makes another."""

    @property
    def counts(self) -> EnetCounts:
        """What was let go, and why."""
        return self._ground.counts

    @property
    def state(self) -> EnetState:
        """Where the connection stands."""
        return self.peer.state

    # --- intents

    def connect(self, *, now: float, data: int = 0) -> EnetPeer:
        """Begin a connection; ``data``: 32 bits for the other side.  LocalProtocolError: one is not over yet."""
        if self.peer.state not in (EnetState.NEW, EnetState.CLOSED):
            msg = f"the connection is {self.peer.state.value}: disconnect first"
            raise LocalProtocolError(msg)
        self.peer = EnetPeer(self._ground, None, self.peer.sessions)
        self.peer.connect(self._ground.prng.bits().to_bytes(8, "big")[:4], data, now)
        return self.peer

    def send(self, data: bytes, *, channel: int = 0, delivery: Delivery | None = None) -> None:
        """Queue a message: see :meth:`EnetPeer.send`."""
        if delivery is None:
            self.peer.send(data, channel=channel)
        else:
            self.peer.send(data, channel=channel, delivery=delivery)

    def disconnect(self, data: int = 0) -> None:
        """Leave: see :meth:`EnetPeer.disconnect`."""
        self.peer.disconnect(data)

    # --- what comes, and time

    def receive(self, datagram: bytes, *, now: float) -> None:
        """Take a datagram of the other side.  It never raises for what is in it."""
        read = wire.read(datagram, self._ground.options.sent_time_flag)
        if read is None or not read.whole:
            self.counts.malformed += 1
        if read is None:
            return
        # We have the place 0 among our peers, as there is one.
        if read.peer_id != 0:
            self.counts.foreign += 1
            return
        self.peer.receive(read, len(datagram), now)

    def deadline(self) -> float | None:
        """When :meth:`handle_timeout` is due; None: nothing runs."""
        return self.peer.deadline()

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline."""
        return self.peer.deadline_reason

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        self.peer.handle_timeout(now)

    # --- what goes

    def datagrams(self, *, now: float) -> list[bytes]:
        """Take what is to be sent to the other side's address."""
        if not self._ground.touched:
            return []
        self._ground.touched.clear()
        return self.peer.datagrams(now)

    def events(self) -> list[EnetEvent]:
        """Take what happened."""
        return self._ground.take_told()
