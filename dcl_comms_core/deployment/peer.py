"""PlainPeer: a WebRTC peer without any keys, whose numbers are all a seed's, so that a world is the same each time.

It speaks with its like only: checks as in ``checks.py``, then a greeting instead of DTLS, then channels over
``ordered.py``.  What it says and does to whoever drives it is what ``dcl_comms_rtc.Peer`` does.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

from dcl_comms_core.deployment.checks import Checks, is_check
from dcl_comms_core.deployment.ordered import PIECE_BYTES, Ordered, Said
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcl_comms_core.livekit.webrtc import Address, Carrier, Channel, Happening, Output, Route

__all__ = ["PlainPeer", "PlainPeers"]

_NAME: Final = re.compile(r"^a=ice-ufrag:(\S{1,256})\s*$", re.MULTILINE)
_PLAIN: Final = b"\x17"
"""Where DTLS would be: what a datagram that is no check begins with."""
_GREETING, _GREETED, _PIECE, _ACK, _LOSSY, _END = (bytes([kind]) for kind in range(6))
_SESSION: Final = 8
"""Bytes of what tells two connections from one address apart."""
_GREETING_BYTES: Final = 200
_OPEN, _DATA, _CLOSE = range(3)
"""What is said on a channel."""
_AGAIN: Final = 0.3
_SLOWEST: Final = 2.0
"""Seconds between two greetings: twice as long each time."""
_MOST_BYTES: Final = 1_048_576
"""That may wait to be acknowledged, of all channels."""
_LONGEST: Final = 262_144
_MOST_PARTS: Final = 16
"""Lossy messages of which pieces are kept."""


class PlainPeers:
    """Makes them, each with numbers of its own: ``new`` is a NewPeer."""

    def __init__(self, seed: int) -> None:
        self._luck = Prng(seed)

    def new(self, now: float) -> PlainPeer:
        """The next one."""
        return PlainPeer(now, Prng(self._luck.bits()))


class PlainPeer:
    """See ``WebRtcPeer``.  ``luck``: where its names and numbers come from."""

    def __init__(self, now: float, luck: Prng) -> None:
        self._now = now
        self._checks = Checks(luck)
        self._ordered = Ordered()
        self._offers: bool | None = None
        """Whether it made the first offer; None: there was none."""
        self._offered = luck.bits().to_bytes(_SESSION)
        self._session = b""
        """Empty before anybody greeted."""
        self._greets_at: float | None = None
        self._pause = _AGAIN
        self._connected = False
        self._over = False
        self._numbers = count()
        self._wanted: list[tuple[int, Channel]] = []
        """Channels that are opened once there is a connection."""
        self._reliable: dict[int, bool] = {}
        """By the channel's number: those that are open."""
        self._labels: dict[int, str] = {}
        """Those that wait for the other side to know of them."""
        self._closing: set[int] = set()
        self._parts: dict[int, list[bytes]] = {}
        """Pieces of lossy messages, by number."""
        self._lossies = count()
        self._datagrams: list[tuple[Route, bytes]] = []
        self._happenings: list[Happening] = []

    # --- descriptions

    def add_local(self, local: Address, protocol: Carrier = "udp") -> str:
        """Use a socket of ours.  ValueError: it is one of TCP."""
        if protocol != "udp":
            msg = "a peer without keys goes by UDP"
            raise ValueError(msg)
        self._checks.local.append(local)
        return _candidate(local)

    def add_remote(self, candidate: str) -> None:
        """Try a candidate.  ValueError: it is none."""
        _, _, _, _, host, port, *_ = candidate.split()
        self._checks.reach((host, int(port)), self._now)

    def offer(self, channels: Sequence[Channel] = (), *, restart: bool = False) -> tuple[str | None, list[int]]:
        """Make an offer; gives it, and the channels' numbers."""
        self._begin(offers=True)
        numbers = [next(self._numbers) for _ in channels]
        self._wanted += zip(numbers, channels, strict=True)
        if restart:
            self._checks.restart()
        return self._description(), numbers

    def accept_answer(self, sdp: str) -> None:
        """Take the answer.  ValueError: it names nobody."""
        self._checks.theirs = _named(sdp)

    def accept_offer(self, sdp: str) -> str:
        """Answer an offer.  ValueError: it names nobody."""
        theirs = _named(sdp)
        self._begin(offers=False)
        if self._checks.theirs not in {"", theirs}:
            self._checks.restart()
        self._checks.theirs = theirs
        return self._description() + "".join(f"a={_candidate(one)}\r\n" for one in self._checks.local)

    def _begin(self, *, offers: bool) -> None:
        if self._offers is None:
            self._offers = offers
            self._session = self._offered if offers else b""
            # So that the two sides never choose the same.
            self._numbers = count(0 if offers else 1, 2)

    def _description(self) -> str:
        return (
            "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
            f"a=ice-ufrag:{self._checks.name}\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:{_LONGEST}\r\n"
        )

    # --- datagrams and time

    def receive(
        self,
        datagrams: Sequence[bytes],
        remote: Address,
        local: Address,
        now: float,
        protocol: Carrier = "udp",  # noqa: ARG002 - the protocol's
    ) -> Output:
        """Take datagrams from one address."""
        self._now = now
        for datagram in datagrams:
            if self._over:
                break
            if is_check(datagram):
                self._checks.receive(datagram, remote, local, now)
            elif datagram[:1] == _PLAIN:
                self._hear(datagram[1:2], datagram[2 : 2 + _SESSION], datagram[2 + _SESSION :])
        return self._output()

    def handle_timeout(self, now: float) -> Output:
        """Let time pass."""
        self._now = now
        if not self._over:
            self._checks.handle_timeout(now)
            self._ordered.handle_timeout(now)
        return self._output()

    def poll(self) -> Output:
        """Give what is to be done."""
        return self._output()

    def _hear(self, kind: bytes, session: bytes, rest: bytes) -> None:
        if kind == _GREETING:
            self._be_greeted(session)
        elif session == self._session:
            match kind:
                case b"\x01":  # our greeting was heard
                    self._connect()
                case b"\x02":
                    for said in self._ordered.receive(rest):
                        self._take(said)
                case b"\x03":
                    for said in self._ordered.acknowledged(rest[:4], self._now):
                        self._arrived(said)
                case b"\x04":
                    self._take_lossy(rest)
                case b"\x05":
                    self._happenings.append(("closed", None, None))
                    self._over = True
                case _:
                    pass

    def _be_greeted(self, session: bytes) -> None:
        """Whoever made the offer greets; the answer to it may be lost."""
        if self._offers is False and self._session in {b"", session} and len(session) == _SESSION:
            self._session = session
            self._put(_GREETED)
            self._connect()

    def _put(self, kind: bytes, rest: bytes = b"") -> None:
        if self._checks.route is not None:
            self._datagrams.append((self._checks.route, _PLAIN + kind + self._session + rest))

    def _connect(self) -> None:
        if not self._connected:
            self._connected = True
            self._happenings.append(("connected", None, None))

    def _output(self) -> Output:
        self._happenings += [(news, None, None) for news in self._checks.news()]
        if not self._over:
            self._greet()
            self._open_channels()
            for piece in self._ordered.out:
                self._put(_PIECE, piece)
            if self._ordered.acks:
                self._put(_ACK, self._ordered.expected)
        self._ordered.acks = False
        self._ordered.out.clear()
        datagrams = [*self._checks.out, *self._datagrams]
        happenings, self._happenings = self._happenings, []
        self._checks.out.clear()
        self._datagrams.clear()
        return datagrams, happenings, self._deadline()

    def _deadline(self) -> float | None:
        if self._over:
            return None
        return earlier(earlier(self._checks.deadline(), self._ordered.deadline()), self._greets_at)

    def _greet(self) -> None:
        if self._connected or not self._offers or self._checks.route is None:
            self._greets_at = None
        elif self._greets_at is None or self._now >= self._greets_at:
            # As long as one of DTLS: before an address is proved a server sends no more than came from there.
            self._put(_GREETING, bytes(_GREETING_BYTES))
            self._greets_at = self._now + self._pause
            self._pause = min(2.0 * self._pause, _SLOWEST)

    # --- channels

    def _open_channels(self) -> None:
        if self._connected:
            wanted, self._wanted = self._wanted, []
            for number, (label, ordered, *_) in wanted:
                self._labels[number] = label
                self._reliable[number] = ordered
                self._ordered.say(Said(_OPEN, number, bytes([ordered]) + label.encode()), self._now)

    def _take(self, said: Said) -> None:
        what, channel, data = said
        if channel not in self._reliable:
            if what == _OPEN:
                self._reliable[channel] = data[:1] != b"\x00"
                self._happenings.append(("open", channel, data[1:].decode(errors="replace")))
        elif what == _DATA:
            self._happenings.append(("data", channel, data))
        elif what == _CLOSE:
            if channel not in self._closing:
                self._ordered.say(said, self._now)
            self._closing.discard(channel)
            del self._reliable[channel]
            self._happenings.append(("close", channel, None))

    def _arrived(self, said: Said) -> None:
        if said.what == _OPEN:
            self._happenings.append(("open", said.channel, self._labels.pop(said.channel)))

    def _take_lossy(self, rest: bytes) -> None:
        # A channel (2), a message (4), which piece (2) of how many (2).
        channel, message = int.from_bytes(rest[:2]), int.from_bytes(rest[2:6])
        at, pieces = int.from_bytes(rest[6:8]), int.from_bytes(rest[8:10])
        if channel not in self._reliable:
            return
        if pieces == 1:
            self._happenings.append(("data", channel, rest[10:]))
            return
        parts = self._parts.setdefault(message, [])
        # The pieces of one message are few, and go out together: in any other order they are lost.
        if at == len(parts):
            parts.append(rest[10:])
        if len(parts) == pieces:
            del self._parts[message]
            self._happenings.append(("data", channel, b"".join(parts)))
        elif len(self._parts) > _MOST_PARTS:
            del self._parts[next(iter(self._parts))]

    def send(self, messages: Sequence[tuple[int, bytes]], now: float) -> tuple[int, Output]:
        """Send messages, as many as there is room for; gives how many.  RuntimeError: there is no such channel."""
        self._now = now
        taken = 0
        waiting = sum(self._ordered.buffered.values())
        for channel, message in messages:
            reliable = self._reliable.get(channel)
            if reliable is None:
                msg = f"channel {channel} is not open"
                raise RuntimeError(msg)
            if reliable and waiting and waiting + len(message) > _MOST_BYTES:
                break
            taken += 1
            if reliable:
                waiting += len(message)
                self._ordered.say(Said(_DATA, channel, message), now)
            else:
                self._send_lossy(channel, message)
        return taken, self._output()

    def _send_lossy(self, channel: int, message: bytes) -> None:
        pieces = range(0, max(len(message), 1), PIECE_BYTES)
        number = next(self._lossies) & 0xFFFFFFFF
        for place, at in enumerate(pieces):
            head = channel.to_bytes(2) + number.to_bytes(4) + place.to_bytes(2) + len(pieces).to_bytes(2)
            self._put(_LOSSY, head + message[at : at + PIECE_BYTES])

    def buffered(self, channel: int) -> int:
        """How many bytes of a channel's messages the other side has not acknowledged; lossy ones wait for nothing."""
        return self._ordered.buffered.get(channel, 0)

    def close_channel(self, channel: int, now: float) -> Output:
        """Close a channel, which happens once the other side has closed it too."""
        self._now = now
        if channel in self._reliable and channel not in self._closing:
            self._closing.add(channel)
            self._ordered.say(Said(_CLOSE, channel, b""), now)
        return self._output()

    def close(self) -> Output:
        """End it, and say so."""
        if not self._over:
            self._over = True
            self._put(_END)
        return self._output()


def _named(sdp: str) -> str:
    found = _NAME.search(sdp)
    if found is None:
        msg = "this description names nobody"
        raise ValueError(msg)
    return found[1]


def _candidate(address: Address) -> str:
    return f"candidate:1 1 udp 2130706431 {address[0]} {address[1]} typ host"
