"""What a tap may be told, any of it; and a tap that remembers."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st
from rigs.core.any_events import ANY_EVENT, BY_TYPE, PEERS, TEXTS

from dcl_comms_core import commands, inputs
from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.commands import SendData
from dcl_comms_core.events import SignatureNeeded
from dcl_comms_core.inputs import ConnectionQuality, LinkRef, Participant, Permissions
from dcl_comms_core.records.forms import as_dict
from dcl_comms_core.tap import is_packet, without_secrets
from dcl_comms_core.testing.strategies import packets

WHOLE = st.integers(0, 2**31)
LINKS = st.builds(LinkRef, WHOLE, WHOLE)
TIMES = st.floats(0, 1e7)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple)
PEOPLE = st.builds(Participant, identity=TEXTS, sid=TEXTS, name=TEXTS, metadata=TEXTS, attributes=PAIRS)
MAY = st.builds(
    Permissions,
    can_publish=st.booleans(),
    can_publish_data=st.booleans(),
    can_subscribe=st.booleans(),
    can_publish_sources=st.none() | st.lists(TEXTS, max_size=2).map(tuple),
)
TOKEN = AccessToken("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwidmlkZW8iOnsicm9vbSI6ImEifX0.AAAAAAAA")
OF_TYPE = BY_TYPE | {
    "int": WHOLE,
    "int | None": st.none() | WHOLE,
    "LinkRef": LINKS,
    "Participant": PEOPLE,
    "tuple[Participant, ...]": st.lists(PEOPLE, max_size=2).map(tuple),
    "Permissions": MAY,
    "Permissions | None": st.none() | MAY,
    "AccessToken": st.just(TOKEN),
    "tuple[str, ...]": st.lists(TEXTS, max_size=2).map(tuple),
    "tuple[int, ...]": st.lists(WHOLE, max_size=2).map(tuple),
    "tuple[str, ...] | None": st.none() | st.lists(TEXTS, min_size=1, max_size=2).map(tuple),
    "tuple[tuple[str, str], ...]": PAIRS,
    "tuple[str, int]": st.tuples(TEXTS, WHOLE),
    "ConnectionQuality": st.sampled_from(ConnectionQuality),
    "Place": st.sampled_from(Place),
    "Place | None": st.none() | st.sampled_from(Place),
    "bytes": st.binary(max_size=40),
}
URLS = st.sampled_from(["https://example.com/about", "http://127.0.0.1:8000/"])


def _of(kind):
    values = {one.name: OF_TYPE[one.type] for one in dataclasses.fields(kind)}
    if "url" in values:
        values["url"] = URLS
    return st.builds(kind, **values)


def _kinds():
    members = (*inputs.Input.__args__, *commands.Command.__args__)
    return sorted((kind for kind in members if not is_packet_kind(kind)), key=lambda kind: kind.__name__)


def is_packet_kind(kind):
    return kind.__name__ in {"DataReceived", "SendData", "SendAcknowledged", "SendsAcknowledged"}


STEPS = st.one_of(*map(_of, _kinds())).map(without_secrets)
EVENTS = ANY_EVENT.map(without_secrets)
SENT = st.builds(
    SendData,
    link=LINKS,
    token=WHOLE,
    data=packets().map(bytes) | st.binary(max_size=40),
    to=st.none() | st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    reliable=st.booleans(),
    topic=TEXTS,
)
ROOMS = st.sampled_from(["island", "scene", "main", "pulse"])
RECEIVED = st.tuples(
    st.just("received"),
    st.tuples(ROOMS, st.none() | PEERS, packets().map(bytes) | st.binary(max_size=40)),
    st.fixed_dictionaries(
        {
            "reliable": st.booleans(),
            "topic": TEXTS,
            "private": st.booleans(),
            "verdict": st.sampled_from(["told", "late", "rate", "rejected:malformed@3"]),
        }
    ),
)
TOLD = st.one_of(
    RECEIVED,
    st.tuples(st.just("sent"), st.tuples(ROOMS, SENT), st.just({})),
    st.tuples(
        st.just("acknowledged"),
        st.tuples(ROOMS, st.lists(WHOLE, min_size=1, max_size=3).map(tuple)),
        st.fixed_dictionaries({"failed": st.booleans()}),
    ),
    st.tuples(st.just("step"), st.tuples(STEPS | EVENTS), st.just({})),
)
"""A call of a tap, without its time: its name and its arguments."""


class Heard:
    """A tap that remembers every call."""

    def __init__(self):
        self.calls = []

    def received(self, at, room, sender, data, **how):
        self.calls.append(("received", at, room, sender, sender and sender.text, data, tuple(sorted(how.items()))))

    def sent(self, at, room, command):
        self.calls.append(("sent", at, room, command))

    def acknowledged(self, at, room, tokens, *, failed):
        self.calls.append(("acknowledged", at, room, tokens, failed))

    def step(self, at, item):
        self.calls.append(("step", at, type(item), _comparable(item)))


def _comparable(item):
    """As equal as it can be: adapters and grants say less when they come back, and sizes are not compared."""
    if is_packet(item):
        raise AssertionError(item)
    if dataclasses.is_dataclass(item) and hasattr(item, "at"):
        shown = as_dict(item)
        shown.pop("time", None)
        for early in shown.get("early", ()):
            early.pop("time", None)
        return shown
    return item


def tell(tap, at, told):
    """Make the call."""
    name, arguments, how = told
    getattr(tap, name)(at, *arguments, **how)


__all__ = ["EVENTS", "STEPS", "TIMES", "TOLD", "Heard", "SignatureNeeded", "tell"]
