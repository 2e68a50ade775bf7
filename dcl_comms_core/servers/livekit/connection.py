"""One participant's peer connection: what comes on it, and what waits to go out on it.

Everything goes through the channels that the client opened.  Until both are open reliable packets wait for him, as many
as ``Limits.server_early_bytes`` takes, the newest; afterwards for room in the peer's buffer.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from dcl_comms_core.livekit.labels import CHANNELS, LOSSY, RELIABLE
from dcl_comms_core.livekit.webrtc import FAULTS
from dcl_comms_core.servers.livekit.descriptions import longest_message, name_of, of_data, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import Address, Happening, NewPeer, Output

__all__ = ["Connection"]

_LABELS: Final = frozenset(label for label, *_ in CHANNELS)
_SENDS: Final = 64
"""As many messages go to the peer at once."""

Sent: TypeAlias = "tuple[Address, bytes]"


class _Queue:
    """What waits for one channel."""

    __slots__ = ("messages", "size")

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.size = 0
        """Bytes."""

    def put(self, message: bytes) -> None:
        self.messages.append(message)
        self.size += len(message)

    def take(self) -> None:
        self.size -= len(self.messages.popleft())

    def keep(self, most: int) -> int:
        """Let the oldest go, beyond so many bytes; gives how many went."""
        before = len(self.messages)
        while self.size > most and len(self.messages) > 1:
            self.take()
        return before - len(self.messages)


class Connection:
    """``heard``: takes messages, with whether they are reliable; ``local``: where the server is."""

    __slots__ = (
        "_heard", "_limits", "_local", "_longest", "_lossy", "_numbers", "_peer", "_reliable", "closed", "deadline",
        "dropped", "failed", "frags", "heard_at", "ready", "sent",
    )  # fmt: skip

    def __init__(
        self, new_peer: NewPeer, local: Address, heard: Callable[[bytes, bool], None], limits: Limits, *, now: float
    ) -> None:
        self._local = local
        self._heard = heard
        self._limits = limits
        self._numbers: dict[str, int] = {}
        """The client's channels that are open, by label."""
        self._reliable = _Queue()
        self._lossy = _Queue()
        self._longest = 0
        """Of a message to him."""
        self._peer = new_peer(now)
        self._peer.add_local(local)
        self.heard_at = now
        """When the last datagram came."""
        self.deadline: float | None = None
        self.sent: list[Sent] = []
        """Datagrams that are to go out."""
        self.frags: list[str] = []
        """By what its checks are known, the newest last."""
        self.ready = False
        """Whether both channels are open."""
        self.closed = False
        """Whether the client ended it, and said so."""
        self.failed = ""
        """Why it is of no use any more; empty: it is."""
        self.dropped = 0
        """Packets that were let go, since somebody looked."""

    # --- descriptions

    def answer(self, offer: str) -> str | None:
        """The answer to a client's offer; None: it can't be taken, and the connection is of no use."""
        sdp = of_data(offer)
        if sdp is None:
            self._fail(ValueError("this offer has no section of data, or too many of others"))
            return None
        try:
            answer = self._peer.accept_offer(sdp)
        except FAULTS as error:
            self._fail(error)
            return None
        self._longest = longest_message(sdp)
        name = name_of(answer)
        if name and name not in self.frags:
            # Those of the round before may be on their way.
            self.frags = [*self.frags[-1:], name]
        self._run(self._peer.poll)
        return told(answer, offer)

    # --- the network

    def receive(self, datagrams: list[bytes], remote: Address, now: float) -> None:
        """Datagrams came that are for this one."""
        self.heard_at = now
        self._run(lambda: self._peer.receive(datagrams, remote, self._local, now))

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if self.deadline is not None and now >= self.deadline:
            self._run(lambda: self._peer.handle_timeout(now))

    def close(self) -> None:
        """End it, saying so to the client."""
        self._run(self._peer.close)
        self.failed = self.failed or "closed"
        self.deadline = None

    def _run(self, step: Callable[[], Output]) -> None:
        if self.failed:
            return
        try:
            output = step()
        except FAULTS as error:
            self._fail(error)
        else:
            self._take(output)

    def _take(self, output: Output) -> None:
        datagrams, happenings, self.deadline = output
        if datagrams:
            self.sent += [(route[2], datagram) for route, datagram in datagrams]
        for happening in happenings:
            self._happened(happening)

    def _happened(self, happening: Happening) -> None:
        kind, channel, detail = happening
        if kind == "data":
            if isinstance(detail, bytes):
                if channel == self._numbers.get(RELIABLE):
                    self._heard(detail, True)
                elif channel == self._numbers.get(LOSSY):
                    self._heard(detail, False)
        elif kind == "open":
            if channel is not None and isinstance(detail, str) and detail in _LABELS:
                self._numbers[detail] = channel
                self.ready = len(self._numbers) == len(_LABELS)
        elif kind == "close":
            self._numbers = {label: number for label, number in self._numbers.items() if number != channel}
            self.ready = len(self._numbers) == len(_LABELS)
        elif kind == "closed":
            self.closed = True

    def _fail(self, error: Exception) -> None:
        self.failed = str(error) or type(error).__name__
        self.deadline = None

    # --- packets for him

    @property
    def waiting(self) -> bool:
        """Whether something is to go out now."""
        return self.ready and bool(self._reliable.messages or self._lossy.messages)

    @property
    def overrun(self) -> bool:
        """Whether more reliable packets wait than may."""
        return self._reliable.size > self._limits.server_room_bytes and len(self._reliable.messages) > 1

    def put(self, message: bytes, *, reliable: bool) -> None:
        """Have a packet go to him; not one that is longer than he takes."""
        if len(message) > self._longest:
            self.dropped += 1
        elif reliable:
            self._reliable.put(message)
            if not self.ready:
                self.dropped += self._reliable.keep(self._limits.server_early_bytes)
        elif self.ready:
            self._lossy.put(message)
            self.dropped += self._lossy.keep(self._limits.server_lossy_bytes)
        else:
            self.dropped += 1

    def flush(self, now: float) -> None:
        """Hand on what waits, as far as there is room."""
        for label, queue in ((RELIABLE, self._reliable), (LOSSY, self._lossy)):
            while queue.messages and self.ready and not self.failed:
                number = self._numbers[label]
                some = [(number, message) for message in islice(queue.messages, _SENDS)]
                taken = self._send(some, now)
                for _ in range(taken):
                    queue.take()
                if taken < len(some):
                    break

    def _send(self, messages: list[tuple[int, bytes]], now: float) -> int:
        try:
            taken, output = self._peer.send(messages, now)
        except FAULTS as error:
            self._fail(error)
            return 0
        self._take(output)
        return taken
