"""What a movement source gets of ours: jumps as jumps, and emotes with what no packet says of them."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from rigs.core.room import people

from dcl_comms_core import (
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LocalProtocolError,
    MergedRooms,
    OpenLink,
    PacketTooLarge,
    PeerId,
    RoomRole,
    SendData,
    SimulatorAdapter,
    decode,
)
from dcl_comms_core.merged.roles import AVATAR
from dcl_comms_core.testing import MemorySource


class Stage(MemorySource):
    """One that is told more of emotes."""

    def __init__(self, link: int, **options: Any) -> None:
        super().__init__(link, **options)
        self.shown: list[tuple[Any, ...]] = []

    def show_emote(self, emote: Any, duration: float | None, *, now: float | None = None) -> None:
        self.shown.append((emote.urn, bool(emote.is_stopping), emote.mask, duration, now))


class Bench:
    """A room, a source and one that is told more of emotes, all of them open."""

    def __init__(self) -> None:
        self.merged = MergedRooms(announce=False)
        self.now = 0.0
        self.merged.join(SimulatorAdapter("i"), RoomRole.ISLAND, room="room", now=0.0)
        self.source = MemorySource(self.merged.new_link(), room="source")
        self.stage = Stage(self.merged.new_link(), room="stage")
        for source in (self.source, self.stage):
            self.merged.attach(source, now=0.0)
        self.links: dict[int, str] = {}
        self.refs: dict[str, Any] = {}
        for command, label in zip(self.merged.commands(), ("room", "source", "stage"), strict=True):
            assert isinstance(command, OpenLink)
            self.links[command.link.link], self.refs[label] = label, command.link
            opened = LinkOpened(link=command.link, identity="me", room="x", participants=people("bob"))
            self.merged.receive(opened, now=0.0)

    def sent(self) -> list[tuple[str, Any]]:
        packets = [command for command in self.merged.commands() if isinstance(command, SendData)]
        return [(self.links[command.link.link], decode(command.data)) for command in packets]

    def moves(self, x: float, **more: Any) -> list[tuple[str, float, bool]]:
        """To whom a movement goes out, and as what."""
        self.merged.move((x, 0.0, 0.0), now=self.now, **more)
        return self.seen()

    def seen(self) -> list[tuple[str, float, bool]]:
        movements = [(label, packet.movement) for label, packet in self.sent()]
        return [(label, movement.position_x, movement.is_instant) for label, movement in movements]

    def later(self, seconds: float) -> list[tuple[str, float, bool]]:
        self.now += seconds
        self.merged.handle_timeout(self.now)
        return self.seen()


# --- jumps


def test_the_first_movement_and_a_users_jump_are_told_as_jumps_and_no_other() -> None:
    bench = Bench()
    assert bench.moves(1.0) == [("room", 1.0, True), ("source", 1.0, True), ("stage", 1.0, True)]
    bench.now = 0.2
    assert [instant for _, _, instant in bench.moves(2.0)] == [False] * 3
    bench.now = 0.4
    assert bench.moves(80.0, instant=True) == [("room", 80.0, True), ("source", 80.0, True), ("stage", 80.0, True)]
    assert [instant for _, _, instant in bench.later(0.2)] == [False] * 3


def test_a_jump_that_has_to_wait_its_turn_is_still_one_when_we_walked_on_from_where_it_led() -> None:
    bench = Bench()
    for number in range(10):
        # On and off the ground: each goes out at once, until ten have in a second.
        assert bench.moves(float(number), grounded=number % 2 == 0) != []
        bench.now += 0.01
    assert bench.moves(90.0, instant=True) == []
    assert bench.moves(91.0) == []
    assert bench.moves(92.0) == []
    assert bench.later(1.0) == [("room", 92.0, True), ("source", 92.0, True), ("stage", 92.0, True)]
    bench.now += 0.2
    assert [instant for _, _, instant in bench.moves(93.0)] == [False] * 3


def test_who_did_not_see_a_jump_is_told_of_it_as_one_when_it_is_back() -> None:
    bench = Bench()
    bench.moves(1.0)
    bench.merged.receive(LinkReconnecting(link=bench.refs["room"]), now=0.0)
    bench.now = 1.0
    assert [label for label, _, _ in bench.moves(2.0)] == ["source", "stage"]
    bench.now = 2.0
    assert bench.moves(80.0, instant=True) == [("source", 80.0, True), ("stage", 80.0, True)]
    bench.now = 3.0
    bench.moves(81.0)
    bench.merged.receive(LinkReconnected(link=bench.refs["room"]), now=3.0)
    told = bench.seen() + bench.later(0.2)
    assert told[:3] == [("room", 81.0, True), ("source", 81.0, False), ("stage", 81.0, False)]


# --- emotes


def test_a_source_that_has_a_verb_for_it_is_told_how_long_an_emote_takes_and_a_packet_goes_to_the_rest() -> None:
    bench = Bench()
    bench.merged.emote("urn:wave", duration=2.5, mask=1, now=1.0)
    bench.merged.emote("urn:wave", stop=True, now=2.0)
    sent = [(label, packet.player_emote) for label, packet in bench.sent()]
    for where in ("room", "source"):
        told = [emote for label, emote in sent if label == where]
        assert [(emote.urn, emote.mask, emote.is_stopping, emote.incremental_id) for emote in told] == [
            ("urn:wave", 1, None, 1),
            ("urn:wave", None, True, 2),
        ]
    assert len(sent) == 4
    assert bench.stage.shown == [("urn:wave", False, 1, 2.5, 1.0), ("urn:wave", True, None, None, 2.0)]


def test_an_emote_for_some_is_a_packet_to_them() -> None:
    bench = Bench()
    bench.merged.emote("urn:wave", duration=2.5, to=iter([PeerId("bob")]))
    assert [label for label, _ in bench.sent()] == ["room", "source", "stage"]
    bench.merged.emote("urn:wave", to=[])
    assert (bench.sent(), bench.stage.shown) == ([], [])


@pytest.mark.parametrize("duration", [0.0, -1.0, nan, inf, True, "2"])
def test_how_long_an_emote_takes_is_a_number_of_seconds(duration: Any) -> None:
    bench = Bench()
    with pytest.raises(LocalProtocolError, match="an emote lasts a finite number of seconds above 0"):
        bench.merged.emote("urn:wave", duration=duration)
    with pytest.raises(LocalProtocolError, match="an emote's mask"):
        bench.merged.emote("urn:wave", mask=-1)
    assert bench.sent() == []


def test_an_emote_that_nobody_takes_is_refused() -> None:
    merged = MergedRooms()
    assert not merged.reaches(AVATAR)
    with pytest.raises(LocalProtocolError, match="no room that this could go to"):
        merged.emote("urn:wave", duration=1.0)
    with pytest.raises(PacketTooLarge):
        Bench().merged.emote("urn:" + "u" * 1_000)
