"""Who is in a ws-room, from its frames alone."""

from __future__ import annotations

from typing import Any

from dcl_comms_core import (
    LimitReached,
    Limits,
    LinkOpened,
    LinkRef,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    WsWelcome,
)
from dcl_comms_core.room.incoming.members import Members
from dcl_comms_core.room.lifecycle import Lifecycle
from dcl_comms_core.room.output import Output
from dcl_comms_core.tools.clock import Clock

ME, ALICE, BOB, CAROL = "0xme", "0xAlice", "0xBob", "0xCarol"
LINK = LinkRef(1, 1)


class Bench:
    """The members of a ws-room that welcomed us."""

    def __init__(self, *present: str, limit: int = 10) -> None:
        clock = Clock()
        clock.pass_time(5.0)
        self.output = Output("main", clock)
        lifecycle = Lifecycle(1, self.output.counters)
        lifecycle.next_link()
        self.members = Members(self.output, clock, lifecycle, name="plaza", limits=Limits(aliases=limit))
        self.welcome(*present)

    def welcome(self, *present: str) -> Any:
        message = WsWelcome(alias=99, peer_identities=dict(enumerate(present, 1)))
        (opened,) = self.members.welcome(message, ME)
        return opened

    def told(self) -> list[Any]:
        return list(self.output.take_events())

    def counts(self) -> dict[str, int]:
        return dict(self.output.counters)


def person(address: str, alias: int) -> Participant:
    return Participant(identity=address, sid=str(alias))


def test_a_welcome_names_those_who_are_there_and_not_us() -> None:
    opened = Bench().welcome(ALICE, ME.upper(), BOB)
    people = (person(ALICE, 1), person(BOB, 3))
    assert opened == LinkOpened(link=LINK, identity=ME, room="plaza", participants=people)


def test_a_packets_sender_is_known_by_its_alias() -> None:
    bench = Bench(ALICE)
    assert [bench.members.address(alias) for alias in (1, 2)] == [ALICE, None]
    bench.welcome(BOB)
    assert bench.members.address(1) == BOB


def test_who_comes_and_goes_is_told() -> None:
    bench = Bench(ALICE)
    assert bench.members.join(7, BOB) == [ParticipantJoined(link=LINK, participant=person(BOB, 7), source=7)]
    assert bench.members.leave(1) == [ParticipantLeft(link=LINK, identity=ALICE)]
    assert (bench.members.address(1), bench.members.address(7), bench.counts()) == (None, BOB, {})


def test_what_was_told_before_our_own_second_session_and_nobodys_leaving_are_only_counted() -> None:
    bench = Bench(ALICE)
    assert [bench.members.join(1, ALICE), bench.members.join(8, ME.upper()), bench.members.leave(55)] == [[], [], []]
    assert (bench.counts(), bench.told()) == ({"ignored": 3}, [])


def test_an_alias_that_goes_to_somebody_else_was_left_before() -> None:
    bench = Bench(ALICE)
    left, joined = bench.members.join(1, BOB)
    assert left == ParticipantLeft(link=LINK, identity=ALICE)
    assert joined == ParticipantJoined(link=LINK, participant=person(BOB, 1), source=1)


def test_a_wallet_that_is_there_twice_has_left_once_its_newest_session_has() -> None:
    bench = Bench(ALICE)
    bench.members.join(7, ALICE.lower())
    assert bench.members.leave(1) == []
    assert bench.members.leave(7) == [ParticipantLeft(link=LINK, identity=ALICE.lower())]


def test_beyond_the_limit_nobody_is_remembered_which_is_told_once_until_somebody_leaves() -> None:
    bench = Bench(ALICE, BOB, CAROL, limit=2)
    full = LimitReached(at=5.0, room="main", limit="aliases", value=2)
    assert bench.told() == [full]
    assert (bench.members.join(7, CAROL), bench.told(), bench.counts()) == ([], [], {"dropped.aliases": 2})
    bench.members.leave(1)
    assert len(bench.members.join(7, CAROL)) == 1
    assert (bench.members.join(8, ALICE), bench.told()) == ([], [full])
    bench.welcome(ALICE, BOB, CAROL)
    assert bench.told() == [full]


def test_who_has_too_long_an_identity_is_no_member() -> None:
    long, longest = "x" * 257, "x" * 256
    bench = Bench(ALICE, long)
    assert [event.limit for event in bench.told()] == ["identity_chars"]
    assert bench.members.join(3, longest) == [ParticipantJoined(link=LINK, participant=person(longest, 3), source=3)]
    # Whoever had the alias before has left all the same.
    assert bench.members.join(1, long) == [ParticipantLeft(link=LINK, identity=ALICE)]
    assert bench.told() == []
    assert (bench.members.address(1), bench.members.address(2)) == (None, None)
    assert bench.counts()["dropped.identity_chars"] == 2
