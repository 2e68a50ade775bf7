"""Who shares an island: the service's rules, one by one, and what holds for any walk."""

from __future__ import annotations

from itertools import combinations
from math import nan

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dcl_comms_core import Islands


def placed(islands: Islands, now: float = 0.0, **at: float) -> dict[str, tuple[str, str | None]]:
    """Put peers on a line and settle: who moved where, from where."""
    for peer, x in at.items():
        islands.heartbeat(peer, (x, 0.0, 0.0), now=now)
    return {change.peer: (change.island, change.previous) for change in islands.settle(now)}


def test_names_count_in_base_36() -> None:
    islands = Islands(prefix="island-")
    placed(islands, **{f"p{number}": number * 1000.0 for number in range(37)})
    names = islands.names()
    assert (names[0], names[8], names[9], names[34], names[35], names[36]) == (
        "island-1",
        "island-9",
        "island-a",
        "island-z",
        "island-10",
        "island-11",
    )


def test_joining_at_64_and_leaving_beyond_80() -> None:
    islands = Islands()
    assert placed(islands, a=0.0, b=64.1) == {"a": ("I1", None), "b": ("I2", None)}
    assert placed(islands, b=64.0) == {"b": ("I1", "I2")}
    assert placed(islands, b=80.0) == {}
    assert placed(islands, b=80.1) == {"b": ("I3", "I1")}
    assert islands.members("I1") == {"a": (0.0, 0.0, 0.0)}
    assert islands.members("I2") == {}


def test_a_chain_of_neighbours_is_one_island() -> None:
    islands = Islands()
    moved = placed(islands, a=0.0, c=120.0, b=60.0)
    assert {island for island, _ in moved.values()} == {"I1"}
    # Who is in the middle holds it together, in whatever order they are looked at.
    assert placed(islands, a=0.0, c=150.0, b=75.0) == {}
    assert placed(islands, b=1000.0) == {"b": ("I4", "I1"), "c": ("I5", "I1")}


def test_who_comes_last_may_hold_the_others_together() -> None:
    islands = Islands()
    placed(islands, a=0.0, c=10.0, b=20.0)
    assert list(islands.members("I1")) == ["a", "c", "b"]
    assert placed(islands, a=0.0, c=150.0, b=75.0) == {}
    assert set(islands.members("I1")) == {"a", "b", "c"}


def test_the_first_island_told_may_come_from_one_that_never_was() -> None:
    assert placed(Islands(), a=0.0, b=1.0) == {"a": ("I1", None), "b": ("I1", "I2")}


def test_the_larger_island_keeps_its_name_and_of_two_the_older() -> None:
    islands = Islands()
    placed(islands, a=0.0, b=500.0, c=501.0)
    assert placed(islands, a=450.0) == {"a": ("I2", "I1")}
    islands = Islands()
    placed(islands, a=0.0, b=500.0)
    assert placed(islands, a=450.0) == {"b": ("I1", "I2")}


def test_the_larger_piece_keeps_its_name_and_of_two_the_first() -> None:
    islands = Islands()
    placed(islands, a=0.0, b=1.0, c=2.0)
    assert placed(islands, b=500.0, c=501.0) == {"a": ("I4", "I1")}
    islands = Islands()
    placed(islands, a=0.0, b=1.0)
    assert placed(islands, a=500.0) == {"b": ("I3", "I1")}


def test_an_island_has_its_size_and_a_place_that_is_free_is_taken() -> None:
    islands = Islands(max_peers=2)
    assert placed(islands, a=0.0, b=0.0, c=0.0) == {"a": ("I1", None), "b": ("I1", "I2"), "c": ("I3", None)}
    # At the round in which one goes the next comes in.
    assert placed(islands, b=500.0, c=0.0) == {"b": ("I4", "I1"), "c": ("I1", "I3")}


def test_a_desired_island_is_preferred_of_those_that_are_near() -> None:
    islands = Islands(max_peers=4)
    placed(islands, a=0.0, b=0.0, c=0.0, d=100.0, e=100.0)
    assert (islands.names(), islands.settle(0.0)) == (("I1", "I4"), [])
    # Both have room for one more, and the one who comes is near to both.
    islands.heartbeat("f", (50.0, 0.0, 0.0), now=1.0, desired="I4")
    assert placed(islands) == {"f": ("I4", "I6")}
    # It is remembered until another is named, and far away it means nothing.
    islands.heartbeat("f", (9_000.0, 0.0, 0.0), now=1.0)
    assert placed(islands) == {"f": ("I7", "I4")}
    assert placed(islands, f=50.0) == {"f": ("I4", "I7")}


def test_the_most_desired_island_of_a_group_counts() -> None:
    islands = Islands(max_peers=7)
    placed(islands, a=0.0, b=0.0, c=0.0, d=0.0, e=100.0, f=100.0, g=100.0, h=100.0)
    assert islands.names() == ("I1", "I5")
    # Both have room for three.
    for peer, desired in (("x", "I1"), ("y", "I5"), ("z", "I5")):
        islands.heartbeat(peer, (500.0, 0.0, 0.0), now=0.0, desired=desired)
    islands.settle(0.0)
    islands.settle(0.0)
    assert {island for island, _ in placed(islands, x=50.0, y=50.0, z=50.0).values()} == {"I5"}


def test_silence() -> None:
    islands = Islands(heartbeat_timeout=60.0)
    placed(islands, a=0.0, b=1.0)
    placed(islands, 30.0, b=1.0)
    islands.settle(59.9)
    assert len(islands) == 2
    islands.settle(60.0)
    assert (len(islands), islands.names(), islands.members("I1")) == (1, ("I1",), {"b": (1.0, 0.0, 0.0)})
    assert placed(islands, 61.0, a=1000.0) == {"a": ("I3", None)}
    islands.settle(200.0)
    assert (len(islands), islands.names()) == (0, ())


def test_leaving() -> None:
    islands = Islands()
    islands.leave("nobody")
    islands.heartbeat("a", (0.0, 0.0, 0.0), now=0.0)
    islands.leave("a")
    assert (islands.settle(0.0), islands.names()) == ([], ())


def test_nowhere_is_near_to_nobody() -> None:
    islands = Islands()
    placed(islands, a=0.0, b=0.0)
    assert placed(islands, b=nan) == {"b": ("I3", "I1")}
    assert placed(islands, a=0.0) == {}
    assert placed(islands, b=0.0) == {"b": ("I1", "I3")}


class Walk(RuleBasedStateMachine):
    """Whatever they do: everybody is on one island, told of it, and islands are neither too large nor torn."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(3)
        self.now = 0.0
        self.told: dict[str, str] = {}
        self.heard: dict[str, float] = {}
        self.settled = True

    @initialize(largest=st.sampled_from([3, 100]))
    def begin(self, largest: int) -> None:
        self.largest = largest
        self.islands = Islands(max_peers=largest, heartbeat_timeout=20.0)

    @rule(peer=st.sampled_from("abcdef"), x=st.sampled_from([0.0, 50.0, 64.0, 80.0, 81.0, 130.0, 160.0, 400.0, nan]))
    def walks(self, peer: str, x: float) -> None:
        self.islands.heartbeat(peer, (x, 0.0, 0.0), now=self.now)
        self.heard[peer] = self.now
        self.settled = False

    @rule(peer=st.sampled_from("abcdef"))
    def goes(self, peer: str) -> None:
        self.islands.leave(peer)
        self.told.pop(peer, None)
        self.heard.pop(peer, None)
        self.settled = False

    @rule()
    def settles(self) -> None:
        self.now += 2.0
        for peer in [peer for peer, at in self.heard.items() if self.now - at >= 20.0]:
            del self.heard[peer]
            self.told.pop(peer, None)
        for change in self.islands.settle(self.now):
            self.told[change.peer] = change.island
        self.settled = True

    @invariant()
    def all_is_well(self) -> None:
        if not self.settled:
            return
        found = {peer: name for name in self.islands.names() for peer in self.islands.members(name)}
        assert found == self.told
        assert set(found) == set(self.heard)
        for name in self.islands.names():
            members = self.islands.members(name)
            assert 1 <= len(members) <= self.largest
            # What has to wait for a place may be on the wrong side of somebody for a round, as with the real ones.
            for split in range(1, len(members) if self.largest > len(found) else 0):
                for part in combinations(members, split):
                    rest = [peer for peer in members if peer not in part]
                    assert any(abs(members[one][0] - members[two][0]) <= 80.0 for one in part for two in rest)


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=30, stateful_step_count=30)
