"""Events of every kind with any values that their fields may hold."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st

from dcl_comms_core import (
    Arrival,
    CloseReason,
    Grants,
    Movement,
    MovementKind,
    PacketReceived,
    PacketRejected,
    PeerId,
    PeerIdentified,
    PeerMoved,
    PlayerEmote,
    Position,
    RejectReason,
    Retry,
    Track,
    TrackKind,
    TrackSource,
    Vector3,
    WarningCode,
    parse_connection_string,
)
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.testing.strategies import messages

PACKETS = sorted(
    (kind for kind in EVERY_KIND if issubclass(kind, PeerMoved.__bases__[0])), key=lambda kind: kind.__name__
)
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(max_size=20)
PEERS = st.builds(PeerId, TEXTS)
VECTORS = st.builds(Vector3, FLOATS, FLOATS, FLOATS)
TRACKS = st.builds(
    Track,
    sid=TEXTS,
    kind=st.sampled_from(TrackKind),
    source=st.sampled_from(TrackSource),
    name=TEXTS,
    muted=st.booleans(),
    encrypted=st.booleans(),
)
ADAPTERS = st.sampled_from(
    [parse_connection_string(text) for text in ("ws-room:wss://example.com/rooms/a", "offline:offline", "simulator:a")]
)
GRANTS = st.builds(
    Grants,
    can_publish=st.booleans(),
    hidden=st.booleans(),
    can_publish_sources=st.none() | st.tuples(TEXTS, TEXTS),
)
BY_TYPE = {
    "str": TEXTS,
    "bool": st.booleans(),
    "int": st.integers(-(2**70), 2**70),
    "float": FLOATS,
    "float | None": st.none() | FLOATS,
    "str | None": st.none() | TEXTS,
    "bytes": st.binary(max_size=40),
    "PeerId": PEERS,
    "PeerId | None": st.none() | PEERS,
    "Vector3": VECTORS,
    "Arrival": st.sampled_from(Arrival),
    "CloseReason": st.sampled_from(CloseReason),
    "Retry": st.sampled_from(Retry),
    "RejectReason": st.sampled_from(RejectReason),
    "MovementKind": st.sampled_from(MovementKind),
    "WarningCode": st.sampled_from(WarningCode),
    "Grants": GRANTS,
    "Track": TRACKS,
    "Adapter": ADAPTERS,
    "tuple[PeerId, ...]": st.lists(PEERS, max_size=3).map(tuple),
    "tuple[tuple[PeerId, Vector3], ...]": st.lists(st.tuples(PEERS, VECTORS), max_size=3).map(tuple),
    "Mapping[str, str]": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "rfc4.PlayerEmote": messages(PlayerEmote),
}


def events_of(kind):
    """Events of one kind."""
    values = {
        one.name: BY_TYPE[one.type]
        for one in dataclasses.fields(kind)
        if not one.name.startswith("_") and one.type in BY_TYPE
    }
    if kind is PeerMoved:
        values["message"] = messages(Movement)
        values["kind"] = st.sampled_from([MovementKind.MOVEMENT, MovementKind.COMPRESSED])
        positions = {**values, "message": messages(Position), "kind": st.just(MovementKind.POSITION)}
        return st.builds(kind, **values) | st.builds(kind, **positions)
    if kind is PeerIdentified:
        values["early"] = st.lists(st.one_of(*map(events_of, PACKETS)), max_size=2).map(tuple)
    return st.builds(kind, **values)


ANY_EVENT = st.one_of(*(events_of(kind) for kind in sorted(EVERY_KIND, key=lambda kind: kind.__name__)))
RAW = (PacketReceived, PacketRejected)
