"""Who is in a room: peer ids, addressees and the bounded table of peers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.tools.addresses import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EVERYONE", "Addressees", "Peer", "PeerId", "PeerTable", "addressees", "peer_id"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another participant of a room."""

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


Addressees: TypeAlias = Literal[_Everyone.EVERYONE] | PeerId | Peer | Iterable[PeerId | Peer]
"""Whom a packet is for.  An empty collection is nobody."""


def addressees(to: object) -> tuple[str, ...] | None:
    """Identities to address, each once and in order; None for everybody, an empty tuple for nobody."""
    if to is EVERYONE:
        return None
    if isinstance(to, PeerId):
        return (to.text,)
    if isinstance(to, Peer):
        return (to.id.text,)
    if to is None or isinstance(to, (str, bytes)):
        msg = f"to={type(to).__name__} is ambiguous: use EVERYONE, PeerId(text), a Peer, or a collection of these"
        raise LocalProtocolError(msg)
    if not isinstance(to, Iterable):
        msg = f"to={type(to).__name__} is no addressee: use EVERYONE, PeerId(text), a Peer, or a collection of these"
        raise LocalProtocolError(msg)
    return tuple(dict.fromkeys(_identity(item) for item in cast("Iterable[object]", to)))


def _identity(item: object) -> str:
    if isinstance(item, PeerId):
        return item.text
    if isinstance(item, Peer):
        return item.id.text
    msg = f"an addressee is a PeerId or a Peer, not {type(item).__name__}"
    raise LocalProtocolError(msg)


def peer_id(who: object) -> PeerId:
    """Who that is: a PeerId, or the id of a Peer.  LocalProtocolError: neither, as a text, which would be nobody."""
    if isinstance(who, PeerId):
        return who
    if isinstance(who, Peer):
        return who.id
    msg = f"a peer is named by a PeerId or a Peer, not {type(who).__name__}: use PeerId(text)"
    raise LocalProtocolError(msg)


class PeerTable:
    """The peers of one room, at most ``limit`` of them.  Reads like a mapping from PeerId to Peer.

    LocalProtocolError: what is looked for is no PeerId, nor a Peer.
    """

    __slots__ = ("_limit", "_peers")

    def __init__(self, limit: int) -> None:
        self._limit = limit
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

    def get(self, who: PeerId) -> Peer | None:
        """The peer, or None."""
        return self._peers.get(peer_id(who))

    def values(self) -> tuple[Peer, ...]:
        """All peers, in the order in which they were announced."""
        return tuple(self._peers.values())

    def __getitem__(self, who: PeerId) -> Peer:
        return self._peers[peer_id(who)]

    def __contains__(self, who: object) -> bool:
        return peer_id(who) in self._peers

    def __iter__(self) -> Iterator[PeerId]:
        return iter(tuple(self._peers))

    def __len__(self) -> int:
        return len(self._peers)
