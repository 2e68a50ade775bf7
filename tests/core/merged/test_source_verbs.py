"""What a movement source is told beside packets: signatures that it asked for, the realm's name, where we are."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest
from rigs.core.chains import identity
from rigs.core.merged import Town

from dcl_comms_core import (
    AuthChain,
    ClockSet,
    CloseLink,
    CloseReason,
    LinkOpened,
    LocalProtocolError,
    MergedRooms,
    OpenLink,
    Placing,
    RealmFollowing,
    RoomClosed,
    RoomOpened,
    RoomRole,
    SignatureNeeded,
    Signing,
    SimulatorAdapter,
    Timer,
)
from dcl_comms_core.testing import MemorySource

PAYLOAD = "connect:/:1:{}"


class Placed(MemorySource):
    """One that an island may come of, and that says what it waits for."""

    places = True
    deadline_reason = Timer.CONNECT

    def __init__(self, link: int, **options: Any) -> None:
        super().__init__(link, **options)
        self.told: list[Any] = []

    @property
    def timers(self) -> dict[Timer, float]:
        due = self.deadline()
        return {} if due is None else {Timer.CONNECT: due}

    def open(self, *, now: float | None = None) -> None:
        self.told.append("open")
        super().open(now=now)

    def set_realm(self, name: str | None, *, now: float | None = None) -> None:
        self.told.append(name)
        super().set_realm(name, now=now)

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        self.told.append(position)


class Deaf(MemorySource):
    """One without that verb."""

    set_realm = None  # type: ignore[assignment]


def asking(merged: MergedRooms, room: str = "movement") -> tuple[MemorySource, SignatureNeeded]:
    source = MemorySource(merged.new_link(), room=room, payload=PAYLOAD)
    merged.attach(source, now=0.0)
    (asked,) = merged.events()
    assert isinstance(asked, SignatureNeeded)
    return source, asked


def chain(payload: str = PAYLOAD) -> AuthChain:
    return identity().sign(payload)


# --- signatures


def test_a_source_that_asks_for_a_signature_gets_the_answer_to_its_own_request() -> None:
    merged = MergedRooms()
    (one, first), (two, second) = asking(merged, "a"), asking(merged, "b")
    assert isinstance(one, Signing)
    assert (first.room, first.payload, second.room) == ("a", PAYLOAD, "b")
    assert first.request != second.request
    merged.provide_signature(second.request, chain())
    (opened,) = merged.commands()
    assert isinstance(opened, OpenLink)
    assert (opened.link, one.link.generation) == (two.link, 0)
    with pytest.raises(LocalProtocolError, match="signs something else"):
        merged.provide_signature(first.request, chain("dcl-x"))
    merged.provide_signature(first.request, chain())
    assert [command.link for command in merged.commands()] == [one.link]


def test_a_source_whose_signature_is_refused_ends_and_nothing_else() -> None:
    merged = MergedRooms()
    merged.join(SimulatorAdapter("i"), RoomRole.ISLAND, now=0.0)
    merged.commands()
    source, asked = asking(merged)
    merged.refuse_signature(asked.request, "no")
    (closed,) = merged.events()
    assert isinstance(closed, RoomClosed)
    assert (closed.room, closed.reason, closed.detail) == ("movement", CloseReason.NOT_SIGNED, "no")
    assert (merged.commands(), list(merged.links)) == ([], [1])
    assert (source.room, source.sending) == ("movement", False)


def test_a_source_that_ended_is_forgotten_and_its_answer_is_late() -> None:
    merged = MergedRooms()
    source, asked = asking(merged)
    other, second = asking(merged, "b")
    merged.leave(source.link.link, now=1.0)
    assert [type(event) for event in merged.events()] == [RoomClosed]
    # It never had a link.
    assert merged.commands() == []
    for answer in (lambda: merged.provide_signature(asked.request, chain("x")), lambda: merged.refuse_signature(1)):
        answer()
    assert merged.counters["late"] == 2
    merged.provide_signature(second.request, chain())
    assert other.link.generation == 1


def test_the_one_in_memory_waits_for_its_signature_as_long_as_for_its_link_and_takes_one() -> None:
    source = MemorySource(7, payload=PAYLOAD)
    source.receive(ClockSet(unix_offset=1.0), now=0.0)
    source.open(now=0.0)
    source.handle_timeout(20.0)
    assert [type(event) for event in source.events()] == [SignatureNeeded, RoomClosed]
    source.provide_signature(1, chain())
    source.refuse_signature(1)
    assert (source.commands(), source.events()) == ([], [])
    source = MemorySource(7, payload=PAYLOAD)
    source.open(now=0.0)
    source.provide_signature(1, chain())
    source.provide_signature(1, chain())
    source.refuse_signature(1)
    assert [type(command) for command in source.commands()] == [OpenLink]
    source.receive(LinkOpened(link=source.link, identity="me", room="m"), now=1.0)
    source.close()
    assert [type(event) for event in source.events()] == [SignatureNeeded, RoomOpened, RoomClosed]
    assert [type(command) for command in source.commands()] == [CloseLink]


# --- the realm, and where we are


def test_a_source_is_told_the_realm_and_our_position_before_it_is_opened_and_whenever_they_change() -> None:
    merged = MergedRooms()
    before = Placed(merged.new_link())
    assert isinstance(before, RealmFollowing)
    assert isinstance(before, Placing)
    merged.attach(before, now=0.0)
    merged.set_realm("main", now=0.0)
    merged.set_realm("main")
    merged.set_position((1.0, 2.0, 3.0))
    after = Placed(merged.new_link())
    merged.attach(after)
    merged.set_realm(None)
    assert before.told == ["open", "main", (1.0, 2.0, 3.0), None]
    assert after.told == ["main", (1.0, 2.0, 3.0), "open", None]
    assert after.realm is None


def test_who_has_no_such_verb_is_told_nothing() -> None:
    merged = MergedRooms()
    merged.join(SimulatorAdapter("i"), RoomRole.ISLAND, now=0.0)
    source = MemorySource(merged.new_link())
    assert not isinstance(source, Placing)
    merged.attach(source, now=0.0)
    merged.set_position((1.0, 2.0, 3.0))
    merged.set_realm("main")
    assert source.realm == "main"
    merged.attach(Deaf(merged.new_link()))
    merged.set_realm("other")
    assert source.realm == "other"
    with pytest.raises(LocalProtocolError, match="realm's name"):
        merged.set_realm(5)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="finite"):
        merged.set_position((nan, 0.0, 0.0))


def test_a_source_that_says_what_it_waits_for_is_heard() -> None:
    town = Town()
    merged = town.client("alice", "I1").merged
    town.run()
    assert merged.deadline_reason is None
    merged.attach(Placed(merged.new_link()), now=town.clock.now)
    assert (merged.deadline_reason, merged.timers) == (Timer.CONNECT, {Timer.CONNECT: town.clock.now + 20.0})
    quiet = MergedRooms()
    quiet.attach(MemorySource(quiet.new_link()), now=0.0)
    assert (quiet.deadline(), quiet.deadline_reason, quiet.timers) == (20.0, None, {})
