"""A room with a tap: every packet in and out is told, with what became of it, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import Rig, wire
from rigs.core.sockets import RoomRig

from dcl_comms_core import (
    Chat,
    Limits,
    Movement,
    PeerId,
    RoomSession,
    SendAcknowledged,
    SendData,
    SendsAcknowledged,
    SimulatorAdapter,
)
from dcl_comms_core.journal import Journal
from dcl_comms_core.room.outgoing.carriers import LiveKitCarrier, WsRoomCarrier
from dcl_comms_core.room.tapping import TappedCarrier
from dcl_comms_core.tools.clock import Clock


class Tap:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.received_: list[tuple[Any, ...]] = []
        self.sent_: list[tuple[float, str, SendData]] = []
        self.acknowledged_: list[tuple[Any, ...]] = []

    def received(self, at: float, room: str, sender: Any, data: bytes, **how: Any) -> None:
        self.received_.append((at, room, sender, data, how))

    def sent(self, at: float, room: str, command: SendData) -> None:
        self.sent_.append((at, room, command))

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        self.acknowledged_.append((at, room, tokens, failed))

    def step(self, at: float, item: Any) -> None:
        raise AssertionError("a room tells packets only")

    @property
    def verdicts(self) -> list[str]:
        return [how["verdict"] for *_, how in self.received_]


@pytest.fixture
def tap() -> Tap:
    return Tap()


def chat(stamp: float, text: str = "hello") -> bytes:
    return wire(chat=Chat(message=text, timestamp=stamp))


def move(stamp: float) -> bytes:
    return wire(movement=Movement(timestamp=stamp))


def test_a_packet_that_is_told(tap: Tap) -> None:
    rig = Rig(tap=tap, room="island").join("alice")
    rig.now = 2.5
    rig.data(chat(1.0))
    assert tap.received_ == [
        (
            2.5,
            "island",
            PeerId("alice"),
            chat(1.0),
            {"reliable": True, "topic": "", "private": False, "verdict": "told"},
        )
    ]


def test_verdicts_of_packets_that_are_not_told(tap: Tap) -> None:
    rig = Rig(tap=tap, limits=Limits(movement_rate=1.0, chat_rate=2.0, burst_seconds=0.9))
    rig.session.receive_data("alice", chat(1.0), now=0.0)
    assert tap.verdicts == ["late"]  # we are not in yet
    rig.join("alice")
    for data in (chat(1.0), chat(1.0), chat(2.0), b"\xff\xff", move(5.0), move(6.0), move(7.0)):
        rig.data(data)
    assert tap.verdicts[1:4] == ["told", "repeated", "rate"]
    assert tap.verdicts[4].startswith("rejected:malformed@")
    assert tap.verdicts[5:] == ["told", "held", "held"]
    rig.session.handle_timeout(10.0)  # the one that was held is told
    rig.session.receive_data("alice", move(1.0), now=20.0)
    assert tap.verdicts[-1] == "late"


def test_rejections_beyond_the_allowance_have_their_verdict_too(tap: Tap) -> None:
    rig = Rig(tap=tap, limits=Limits(rejected_rate=1.0, burst_seconds=0.0)).join("alice")
    for _ in range(3):
        rig.data(b"\xff\xff")
    assert len({*tap.verdicts}) == 1
    assert tap.verdicts[0].startswith("rejected:malformed@")


def test_what_is_for_us_alone_is_private(tap: Tap) -> None:
    rig = Rig(tap=tap).join("alice")
    rig.data(chat(1.0), topic=rig.session.identity.text.upper())
    rig.data(chat(2.0), topic="other")
    assert [how["private"] for *_, how in tap.received_] == [True, False]


@pytest.mark.parametrize("carrier", [LiveKitCarrier(), WsRoomCarrier()])
def test_the_rules_of_the_transport_stay_as_they_are(tap: Tap, carrier: Any) -> None:
    assert TappedCarrier(tap, "island", Clock(), carrier).addresses is carrier.addresses


def test_our_packets_and_their_acknowledgements(tap: Tap) -> None:
    rig = Rig(tap=tap, room="island").join("alice")
    rig.session.send_bytes(b"one", to=PeerId("alice"), topic="t", now=3.0)
    rig.session.send_bytes(b"two", reliable=False)
    (at, room, one), (_, _, two) = tap.sent_
    assert (at, room, one.data, one.to, one.topic, one.reliable) == (3.0, "island", b"one", ("alice",), "t", True)
    assert (two.data, two.to, two.reliable) == (b"two", None, False)
    commands = [command for command in rig.session.commands() if isinstance(command, SendData)]
    assert commands == [one, two]
    link = one.link
    rig.session.receive(SendAcknowledged(link=link, token=one.token), now=4.0)
    rig.session.receive(SendAcknowledged(link=link, token=two.token, error="no"), now=5.0)
    rig.session.receive_acknowledged(iter([77]), now=6.0)
    rig.session.receive(SendsAcknowledged(link=link, tokens=(78, 79)), now=7.0)
    assert tap.acknowledged_ == [
        (4.0, "island", (one.token,), False),
        (5.0, "island", (two.token,), True),
        (6.0, "island", (77,), False),
        (7.0, "island", (78, 79), False),
    ]


def test_a_ws_room_tells_its_packets_as_any_room(tap: Tap) -> None:
    rig = RoomRig(tap=tap)
    rig.enter()
    rig.session.send_bytes(b"hello")
    ((_, _, command),) = tap.sent_
    assert (command.data, command.to, command.reliable) == (b"hello", None, True)


def test_a_room_with_a_tap_does_what_one_without_does(tap: Tap) -> None:
    rigs = [Rig(tap=tap).join("alice"), Rig().join("alice")]
    for rig in rigs:
        for data in (chat(1.0), chat(1.0), move(1.0), b"\xff"):
            rig.data(data)
        rig.session.chat("hello")
    with_tap, without = rigs
    assert with_tap.session.commands() == without.session.commands()
    assert with_tap.events == without.events
    assert with_tap.session.counters == without.session.counters


def test_what_a_tap_raises_comes_out(tap: Tap) -> None:
    def broken(*_: Any, **__: Any) -> None:
        msg = "planted"
        raise RuntimeError(msg)

    tap.received = broken  # type: ignore[method-assign]
    rig = Rig(tap=tap).join("alice")
    with pytest.raises(RuntimeError, match="planted"):
        rig.data(chat(1.0))


def test_a_journal_is_run_again_without_the_tap(tap: Tap) -> None:
    journal = Journal()
    session = journal.record(RoomSession, SimulatorAdapter("room"), tap=tap)
    session.open(now=0.0)
    session.commands()
    assert "tap" not in journal.text()
    assert Journal.read(journal.text()).replay().identical
