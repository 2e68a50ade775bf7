"""What is needed of a WebRTC engine: one side of a peer connection, without sockets and clocks.

``dcl_comms_rtc.Peer`` is one; its stub says more of each method.  What it raises is a RuntimeError or a ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal, TypeAlias

    Carrier: TypeAlias = Literal["udp", "tcp"]
    """What carries datagrams."""
    Address: TypeAlias = tuple[str, int]
    """An IP address and a port."""
    Route: TypeAlias = tuple[Carrier, Address, Address]
    """How a datagram is to travel: by what, from where, to where."""
    Happening: TypeAlias = tuple[str, int | None, bytes | str | None]
    """What happened: its kind, on which channel, and a message or a channel's label."""
    Output: TypeAlias = tuple[Sequence[tuple[Route, bytes]], Sequence[Happening], float | None]
    """Datagrams to be sent, what happened, and when to call ``handle_timeout``; None: never, it is over."""
    Channel: TypeAlias = tuple[str, bool, int | None, int | None]
    """A channel: label, whether it is ordered, how often a message is sent again at most, and its agreed stream."""

__all__ = ["FAULTS", "NewPeer", "WebRtcPeer"]

FAULTS = (RuntimeError, ValueError)
"""What a peer raises for what the other side did."""


class WebRtcPeer(Protocol):
    """One side of a peer connection."""

    def add_local(self, local: Address, protocol: Carrier = ...) -> str:
        """Use a socket of ours; of TCP one that calls."""
        ...

    def add_remote(self, candidate: str) -> None:
        """Try a candidate of the other side."""
        ...

    def offer(self, channels: Sequence[Channel] = ..., *, restart: bool = ...) -> tuple[str | None, list[int]]:
        """Make an offer with these channels as well; gives it, if one is needed, and the channels' numbers."""
        ...

    def accept_answer(self, sdp: str) -> None:
        """Take the answer to the last offer."""
        ...

    def accept_offer(self, sdp: str) -> str:
        """Answer an offer."""
        ...

    def receive(
        self, datagrams: Sequence[bytes], remote: Address, local: Address, now: float, protocol: Carrier = ...
    ) -> Output:
        """Take datagrams from one address."""
        ...

    def handle_timeout(self, now: float) -> Output:
        """Let time pass."""
        ...

    def poll(self) -> Output:
        """Give what is to be done after a call that gives no output."""
        ...

    def send(self, messages: Sequence[tuple[int, bytes]], now: float) -> tuple[int, Output]:
        """Send messages on channels, as many as there is room for; gives how many."""
        ...

    def buffered(self, channel: int) -> int:
        """How many bytes of a channel's messages the other side has not acknowledged."""
        ...

    def close_channel(self, channel: int, now: float) -> Output:
        """Close a channel, which happens once the other side, having read all of it, has closed it too."""
        ...

    def close(self) -> Output:
        """End it."""
        ...


if TYPE_CHECKING:
    NewPeer: TypeAlias = Callable[[float], WebRtcPeer]
    """Makes a peer; is told the time."""
