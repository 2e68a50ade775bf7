"""The observer's own part: what counts as a packet, and what is blanked before it is shown."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from rigs.core.canary import assert_no_secret
from rigs.core.room import Rig, livekit, wire
from rigs.core.tokens import make_token

from dcl_comms_core import (
    AccessToken,
    Chat,
    ChatReceived,
    ClockSet,
    DatagramReceived,
    DataReceived,
    Fetch,
    Fetched,
    FrameReceived,
    IslandChanged,
    LinkRef,
    OpenLink,
    OpenSocket,
    Place,
    SendAcknowledged,
    SendData,
    SendDatagram,
    SendFrame,
    SendsAcknowledged,
    SignatureNeeded,
    TokenRefreshed,
    WsRoomAdapter,
)
from dcl_comms_core.tap import QuietTap, Tap, Taps, is_packet, is_plain, without_secrets

LINK = LinkRef(1, 1)
SECRET = make_token(now=1_800_000_000.0)
HEADERS = (("authorization", SECRET), ("x-one", "1"))

SECRETIVE: list[Any] = [
    OpenLink(link=LINK, adapter=livekit()),
    IslandChanged(at=1.0, room="", island="I1", previous=None, adapter=livekit()),
    TokenRefreshed(link=LINK, token=AccessToken(SECRET)),
    SignatureNeeded(at=1.0, room="", payload=f"get:/x:{SECRET}", request=1),
    OpenSocket(link=LINK, url=f"wss://rooms.example.com/rooms/a?secret={SECRET}"),
    SendFrame(link=LINK, token=1, data=SECRET.encode()),
    FrameReceived(link=LINK, data=SECRET.encode()),
    SendDatagram(link=LINK, data=SECRET.encode()),
    DatagramReceived(link=LINK, data=SECRET.encode()),
    Fetch(link=LINK, url=f"https://example.com/?t={SECRET}", headers=HEADERS, body=SECRET.encode()),
    Fetched(
        link=LINK,
        status=200,
        headers=HEADERS,
        body=SECRET.encode(),
        url=f"https://example.com/?t={SECRET}",
        place=Place.PUBLIC,
    ),
]


def _texts(item: Any) -> list[object]:
    """All that a tap could read in it."""
    shown = [getattr(item, field.name) for field in fields(item)]
    return [
        repr(item),
        *shown,
        *(value.to_connection_string() for value in shown if hasattr(value, "to_connection_string")),
        *(value.reveal() for value in shown if isinstance(value, AccessToken)),
    ]


@pytest.mark.parametrize("item", SECRETIVE, ids=lambda item: type(item).__name__)
def test_what_is_shown_holds_no_secret_and_has_its_length(item: Any) -> None:
    secret = livekit().token.reveal() if hasattr(item, "adapter") else SECRET
    with pytest.raises(AssertionError):  # it is there to be found
        assert_no_secret(secret.rpartition(".")[2], *_texts(item))
    assert not is_plain(type(item))
    shown = without_secrets(item)
    assert type(shown) is type(item)
    assert_no_secret(secret.rpartition(".")[2], *_texts(shown))
    for field in fields(item):
        before, after = getattr(item, field.name), getattr(shown, field.name)
        if isinstance(before, str | bytes | tuple):
            assert len(after) == len(before)


def test_what_holds_no_secret_is_shown_as_it_is() -> None:
    clock = ClockSet(unix_offset=1.0)
    assert is_plain(ClockSet)
    assert without_secrets(clock) is clock
    opened = OpenLink(link=LINK, adapter=WsRoomAdapter("wss://rooms.example.com/rooms/a"))
    assert without_secrets(opened) == opened


def test_packets_are_told_apart_from_steps() -> None:
    data = SendData(link=LINK, token=1, data=b"", to=None, reliable=True)
    received = DataReceived(link=LINK, sender=None, data=b"")
    packets = [data, received, SendAcknowledged(link=LINK, token=1), SendsAcknowledged(link=LINK, tokens=(1,))]
    assert all(map(is_packet, packets))
    assert not any(is_plain(type(packet)) for packet in packets)
    assert all(without_secrets(packet) is packet for packet in packets)
    chat = Rig().join("alice").data(wire(chat=Chat(message="hi", timestamp=1.0)))
    assert isinstance(chat, ChatReceived)  # what a packet means is no packet
    assert not any(map(is_packet, [chat, ClockSet(unix_offset=0.0), *SECRETIVE]))


def test_who_wants_to_hear_of_some_only_derives_from_a_quiet_one() -> None:
    class Verdicts(QuietTap):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def received(self, *_: Any, verdict: str, **how: Any) -> None:
            self.heard.append(verdict)

    tap = Verdicts()
    assert isinstance(tap, Tap)
    rig = Rig(tap=tap).join()
    rig.send(1)
    rig.acknowledge(*(command.token for command in rig.sent()))
    rig.data(wire(chat=Chat(message="hello", timestamp=1.0)))
    tap.step(0.0, ClockSet(unix_offset=0.0))
    assert tap.heard == ["told"]


def test_several_taps_are_told_in_turn_and_may_come_and_go() -> None:
    told: list[Any] = []

    class Named(Tap):
        def __init__(self, name: str) -> None:
            self.name = name

        def received(self, at: float, *_: Any, verdict: str, **how: Any) -> None:
            told.append((self.name, at, verdict))

        def sent(self, at: float, room: str, command: SendData) -> None:
            told.append((self.name, at, room, command.token))

        def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
            told.append((self.name, at, room, tokens, failed))

        def step(self, at: float, item: Any) -> None:
            told.append((self.name, at, item))

    one, other = Named("one"), Named("other")
    taps = Taps(one)
    taps.add(other)
    data = SendData(link=LINK, token=7, data=b"", to=None, reliable=True)
    clock = ClockSet(unix_offset=0.0)

    def tell() -> list[Any]:
        told.clear()
        taps.received(1.0, "main", None, b"", reliable=True, topic="", private=False, verdict="late")
        taps.sent(2.0, "main", data)
        taps.acknowledged(3.0, "main", (7,), failed=True)
        taps.step(4.0, clock)
        return told

    calls: list[tuple[Any, ...]] = [(1.0, "late"), (2.0, "main", 7), (3.0, "main", (7,), True), (4.0, clock)]
    assert tell() == [(name, *call) for call in calls for name in ("one", "other")]
    taps.remove(one)
    taps.remove(one)
    assert tell() == [("other", *call) for call in calls]
