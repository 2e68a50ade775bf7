"""Who is in a room: peer ids, addressees and the bounded table of peers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, cast

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.printable import clean
from dcl_comms_core.tools.addresses import ADDRESS
from dcl_comms_core.tools.vectors import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.inputs import Track
    from dcl_comms_core.tools.vectors import Vector3

__all__ = [
    "EVERYONE",
    "Addressees",
    "Arrival",
    "Peer",
    "PeerId",
    "PeerTable",
    "Told",
    "Who",
    "addressees",
    "peer_id",
]

_HEAD: Final = 6
_TAIL: Final = 4


class PeerId:
    """A participant's identity: an opaque text, kept exactly as received because addressing needs it so.

    Two ids are equal when their texts are equal without regard to case: tokens of some issuers carry checksummed
    addresses, others lower-case ones, for the same wallet.
    """

    __slots__ = ("_hash", "key", "text")

    text: str
    """The identity exactly as the transport gave it."""
    key: str
    """What ids are equal by: the text in lower case."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            msg = f"PeerId takes the identity as str, not {type(text).__name__}"
            raise LocalProtocolError(msg)
        self.text = text
        self.key = text.lower()
        self._hash = hash(self.key)

    @property
    def address(self) -> str | None:
        """The wallet address, ``0x`` + 40 hex digits in lower case, or None: not every participant is a player."""
        return self.key if ADDRESS.fullmatch(self.text) else None

    @property
    def short(self) -> str:
        """For people: ``0xd211…e331``.  A text that is hardly longer than that is left as it is.

        What a terminal could take for more than a letter is left out.
        """
        text = clean(self.text)
        return text if len(text) <= _HEAD + _TAIL + 1 else f"{text[:_HEAD]}…{text[-_TAIL:]}"

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, PeerId) else NotImplemented

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"PeerId({self.text!r})"


class _Everyone(Enum):
    EVERYONE = "everyone"

    def __repr__(self) -> str:
        return "EVERYONE"


EVERYONE: Final = _Everyone.EVERYONE
"""The addressee that stands for everybody in the room."""


class Arrival(Enum):
    """How somebody came to be with us.  Greet the new ones."""

    NEW = "new"
    """It came after us."""
    WAS_HERE = "was here"
    """It was there when we came."""
    BACK = "back"
    """It was with us until a while ago (Limits.back_seconds): it, we, or the server had gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another participant of a room, as it is known now: ask for it again to know what is known then.

    Where it is, and so on, is known of what it told since it came; packets that are delivered raw tell nothing.
    """

    id: PeerId
    joined_at: float
    """When the session learned of it, monotonic seconds."""
    sid: str = ""
    """The transport's id of this participant's session; a new one means that the sender restarted."""
    name: str = ""
    metadata: str = ""
    """Free text that the participant or its token's issuer set.  Untrusted."""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """The same by names.  Untrusted."""
    arrival: Arrival = Arrival.NEW
    first_seen: float = 0.0
    """As ``joined_at``; of one that is BACK, when it came before that."""
    position: Vector3 | None = None
    """Metres: x east, y up, z north.  None: it told nothing of it yet."""
    velocity: Vector3 = NOWHERE
    """Metres per second, as it told last."""
    yaw: float = 0.0
    """Degrees clockwise from north, as it told last."""
    moved_at: float | None = None
    """When it told so, monotonic seconds."""
    rooms: tuple[str, ...] = ()
    """The labels of the rooms that have it."""
    tracks: tuple[Track, ...] = ()
    """What it publishes, in the order in which it began."""
    profile_version: int | None = None
    """As it announced last; None: it announced none."""
    speaking: bool = False
    """Whether it was among the speakers that the server named last."""


Who: TypeAlias = PeerId | Peer | str
"""Somebody: a text is an identity, as ``PeerId(text)``."""
Addressees: TypeAlias = Literal[_Everyone.EVERYONE] | PeerId | Peer | str | Iterable[PeerId | Peer | str]
"""Whom a packet is for.  An empty collection is nobody; a text is one identity."""


_ADVICE: Final = "use EVERYONE, a PeerId, a Peer, an identity as text, or a collection of these"


def addressees(to: object) -> tuple[str, ...] | None:
    """Identities to address, each once and in order; None for everybody, an empty tuple for nobody."""
    if to is EVERYONE:
        return None
    if isinstance(to, PeerId | Peer | str):
        return (peer_id(to).text,)
    if to is None or isinstance(to, bytes | bytearray | memoryview):
        kind = type(cast("object", to)).__name__
        msg = f"to={kind} is ambiguous: {_ADVICE}"
        raise LocalProtocolError(msg)
    if not isinstance(to, Iterable):
        msg = f"to={type(to).__name__} is no addressee: {_ADVICE}"
        raise LocalProtocolError(msg)
    return tuple(who.text for who in dict.fromkeys(map(peer_id, cast("Iterable[object]", to))))


def peer_id(who: object) -> PeerId:
    """Who that is: a PeerId, the id of a Peer, or a text's.  LocalProtocolError: neither, or an empty text: nobody."""
    if isinstance(who, PeerId):
        return who
    if isinstance(who, Peer):
        return who.id
    if not isinstance(who, str):
        msg = f"a peer is named by a PeerId, a Peer or a text, not {type(who).__name__}"
        raise LocalProtocolError(msg)
    if not who:
        msg = "nobody is named by an empty text: a peer is named by its identity, which is its wallet's address"
        raise LocalProtocolError(msg)
    return PeerId(who)


class Told(Protocol):
    """What is known of the peers of a table beside their entries."""

    def position(self, peer: Peer) -> Vector3 | None:
        """Where it is, as it told; None: it told nothing."""
        ...

    def full(self, peer: Peer) -> Peer:
        """The peer with all of it."""
        ...


class PeerTable:
    """The peers of one room, at most ``limit`` of them.  Reads like a mapping from PeerId to Peer.

    A text is as good as a PeerId.  LocalProtocolError: what is looked for is nothing of the kind.  ``told``: what is
    known beside.
    """

    __slots__ = ("_limit", "_peers", "_told")

    def __init__(self, limit: int, told: Told | None = None) -> None:
        self._limit = limit
        self._told = told
        self._peers: dict[PeerId, Peer] = {}

    def put(self, peer: Peer) -> bool:
        """Add a peer or replace what is known of it.  False: the table is full and the peer is new."""
        if len(self._peers) >= self._limit and peer.id not in self._peers:
            return False
        self._peers[peer.id] = peer
        return True

    def pop(self, who: PeerId) -> Peer | None:
        """Forget a peer; None when it was not there."""
        return self._peers.pop(who, None)

    def entry(self, who: PeerId) -> Peer | None:
        """The peer as it was put; None: it is not there."""
        return self._peers.get(who)

    def get(self, who: Who) -> Peer | None:
        """The peer, or None."""
        peer = self._peers.get(peer_id(who))
        return None if peer is None else self._full(peer)

    def values(self) -> tuple[Peer, ...]:
        """All peers, in the order in which they were announced."""
        return tuple(map(self._full, self._peers.values()))

    def places(self) -> Iterator[tuple[PeerId, Vector3]]:
        """Who told where it is, and where."""
        told = self._told
        for who, peer in self._peers.items():
            place = peer.position if told is None else told.position(peer)
            if place is not None:
                yield who, place

    def _full(self, peer: Peer) -> Peer:
        return peer if self._told is None else self._told.full(peer)

    def __getitem__(self, who: Who) -> Peer:
        return self._full(self._peers[peer_id(who)])

    def __contains__(self, who: object) -> bool:
        return peer_id(who) in self._peers

    def __iter__(self) -> Iterator[PeerId]:
        return iter(tuple(self._peers))

    def __len__(self) -> int:
        return len(self._peers)
