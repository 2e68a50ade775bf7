from collections.abc import Sequence
from typing import Literal, TypeAlias, final

__all__ = ["Peer", "RtcError", "RtcPanic"]

_Protocol: TypeAlias = Literal["udp", "tcp"]
_Address: TypeAlias = tuple[str, int]
"""An IP address and a port."""
_Route: TypeAlias = tuple[_Protocol, _Address, _Address]
"""How a datagram is to travel: by what, from where, to where."""
_Kind: TypeAlias = Literal[
    "data",
    "open",
    "close",
    "connected",
    "closed",
    "ice-new",
    "ice-checking",
    "ice-connected",
    "ice-completed",
    "ice-disconnected",
]
_Event: TypeAlias = tuple[_Kind, int | None, bytes | str | None]
"""What happened, on which channel, and its message (``data``) or label (``open``)."""
_Output: TypeAlias = tuple[list[tuple[_Route, bytes]], list[_Event], float | None]
"""Datagrams to be sent, what happened, and when to call ``handle_timeout``; None: never, it is over."""
_Channel: TypeAlias = tuple[str, bool, int | None, int | None]
"""A channel's label, whether it is ordered, how often a message is sent again at most (None: until it arrives), and
its stream where both sides agreed on one (None: it is announced in the association)."""

class RtcError(RuntimeError):
    """The other side, or the caller, did what can't be done here; the text says what."""

class RtcPanic(RtcError):
    """A fault of the engine: this peer is over, others are not touched."""

@final
class Peer:
    """One side of a peer connection: its data channels, and nothing of sound and pictures.

    Each method raises RtcError where the connection fails, which then has to be closed, and where it is over by a
    panic.  A call that raises loses nothing: datagrams and events that it had already are given by the next one that
    does not.

    Times are seconds of one clock of the caller's, finite and of ten years at most; an earlier one is taken for the
    newest.  Other times, addresses whose host is no IP address, and channels that were never told are a ValueError,
    arguments of another type a TypeError or an OverflowError.

    All methods may be called from any thread, one at a time: a call in the midst of another one, as a finalizer may
    make it, is an RtcError.  They hold the GIL and block for nothing.  A peer belongs to its process: in a fork's child
    each call is an RtcError, since both would encrypt with the same keys and counters.  Sub-interpreters can't import
    this module: an ImportError, which Python 3.11 can't raise, so there it is the caller's to see to.

    What the other side says is read by str0m, in safe Rust, within these bounds: an offer or an answer of 32,768 bytes,
    a candidate's line of 1,024, a datagram of 65,535, a message of 262,144, 100 pairs of candidates, and 64 addresses
    of the other side's in one round of ICE, be they told, in a description or heard from: further ones are not tried.
    Who can send from the other side's address before DTLS is established can make it fail, as in every WebRTC;
    afterwards what is forged or repeated is let go.
    """

    def __new__(
        cls,
        now: float,
        *,
        buffer_bytes: int = 131072,
        datagram_bytes: int = 1150,
        ice_lite: bool = False,
        first_check_seconds: float | None = None,
    ) -> Peer:
        """Make one that begins now.

        ``buffer_bytes``: what all channels together may hold unsent or not acknowledged, and so the longest message.
        ``datagram_bytes``: how long a datagram of ours may be, 576 to 1,500; longer messages are cut, and where the way
        carries none so long nothing comes through.
        ``ice_lite``: the other side makes all checks.  ``first_check_seconds``: how soon a connectivity check without
        an answer is sent again, at first; 0.001 or more.
        """

    @property
    def alive(self) -> bool:
        """Whether it is not over, by ``close``, by the other side, or by a panic."""

    def add_local(self, local: _Address, protocol: _Protocol = "udp") -> str:
        """Use a socket of ours, of TCP one that calls; gives its candidate's line.  ValueError: this is no address."""

    def add_remote(self, candidate: str) -> None:
        """Try a candidate of the other side, ``candidate:...``.  ValueError: it is none, or one address too many."""

    def offer(self, channels: Sequence[_Channel] = (), *, restart: bool = False) -> tuple[str | None, list[int]]:
        """Make an SDP offer with these channels as well; gives it, or None where none is needed, and their numbers.

        ``restart``: ICE begins anew, with the same sockets.  What was offered before and not answered is forgotten.
        ValueError: a label is longer than 1,024 bytes, or a stream was agreed on before.  RtcPanic: a channel that was
        announced has the stream already, so agree on streams first.
        """

    def accept_answer(self, sdp: str) -> None:
        """Take the answer to what was offered last.  RtcError: it can't be read, or answers nothing."""

    def accept_offer(self, sdp: str) -> str:
        """Give the answer to an offer of the other side; what we offered is forgotten.  RtcError: it can't be taken."""

    def receive(
        self,
        datagrams: Sequence[bytes],
        remote: _Address,
        local: _Address,
        now: float,
        protocol: _Protocol = "udp",
    ) -> _Output:
        """Take datagrams that came from one address; of TCP each without its length.  A stranger's are let go."""

    def handle_timeout(self, now: float) -> _Output:
        """Let the time pass: the deadline has come, or not yet."""

    def poll(self) -> _Output:
        """Give what is to be done after calls that give no output: offers, answers, candidates."""

    def send(self, messages: Sequence[tuple[int, bytes]], now: float) -> tuple[int, _Output]:
        """Send binary messages, each on its channel, in order, as many as the buffer has room for; gives how many.

        Where one can't be sent, those before it are; if it is the first, this raises.  ValueError: it is empty, which
        the engine can't send.  RtcError: its channel is not open, or it is longer than the buffer, or than what the
        other side takes.
        """

    def buffered(self, channel: int) -> int:
        """Give how many bytes of a channel are not acknowledged; 0 where it is not open.

        The other side may wait 200 ms with the acknowledgement of a message that comes alone.
        """

    def close_channel(self, channel: int, now: float) -> _Output:
        """Close one channel: nothing can be sent on it any more, and what comes on it is let go.

        Its ``close`` is told once the other side has closed it too, which it does when it has read all that was sent
        before, and never if it does not.  Its stream is not used again.  RtcError: it is not open.
        """

    def close(self) -> _Output:
        """End it, and tell the other side, if the association stands.  Again, it does nothing."""
