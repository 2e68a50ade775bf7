"""Who is to share an island: the rules of Pulse's clusters, one by one, and what holds for any walk."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dcl_comms_core import Limits
from dcl_comms_core.servers.pulse import ClusterChanged, PulseSettings
from dcl_comms_core.servers.pulse.clusters import Clusters, Placed


class Town:
    """Players by wallet, and a pass a second."""

    def __init__(self, settings: PulseSettings | None = None, limits: Limits | None = None) -> None:
        self.clusters = Clusters(settings or PulseSettings(), limits or Limits())
        self.players: dict[str, Placed] = {}
        self.arrivals = 0
        self.now = 0.0

    def put(
        self, wallet: str, x: int, z: int = 0, *, realm: str = "main", session: str = "s", jump: bool = False
    ) -> None:
        known = self.players.get(wallet)
        if known is None or known.session != session:
            self.arrivals += 1
        who = self.arrivals if known is None or known.session != session else known.who
        self.players[wallet] = Placed(who, wallet, session, realm, x, z, jump)

    def settle(self) -> list[ClusterChanged]:
        self.now += 1.0
        return self.clusters.settle(self.players.values(), self.now)

    def told(self) -> dict[str, str]:
        """A pass: who is told of which cluster."""
        return {change.wallet: change.cluster for change in self.settle()}


def test_cells_that_touch_are_one_cluster_by_a_side_a_corner_or_a_chain() -> None:
    town = Town()
    for index, (x, z) in enumerate([(0, 0), (1, 0), (2, 1), (2, 2), (-1, -1), (4, 2), (0, 2)]):
        town.put(f"p{index}", x, z)
    assert town.told() == {"p0": "C1", "p1": "C1", "p2": "C1", "p3": "C1", "p4": "C1", "p5": "C2", "p6": "C3"}


def test_everybody_is_told_once() -> None:
    town = Town()
    town.put("a", 0)
    assert town.settle() == [ClusterChanged(wallet="a", session="s", cluster="C1", realm="main")]
    assert [town.settle() for _ in range(5)] == [[]] * 5
    assert town.clusters.assignments["a"] == ("C1", "main", "s")


def test_realms_have_clusters_of_their_own() -> None:
    town = Town()
    town.put("a", 0)
    town.put("b", 0, realm="w.dcl.eth")
    assert town.told() == {"a": "C1", "b": "C2"}


def test_another_cluster_has_to_be_found_three_times_in_a_row() -> None:
    town = Town()
    for wallet, x in {"a": 0, "b": 0, "c": 9, "d": 9}.items():
        town.put(wallet, x)
    town.told()
    town.put("b", 9)
    assert [town.told() for _ in range(3)] == [{}, {}, {"b": "C2"}]
    town.put("b", 0)
    assert [town.told() for _ in range(2)] == [{}, {}]
    town.put("b", 9)
    assert town.told() == {}
    town.put("b", 0)
    assert [town.told() for _ in range(3)] == [{}, {}, {"b": "C1"}]


def test_of_two_other_clusters_the_count_begins_anew() -> None:
    town = Town()
    for wallet, x in {"a": 0, "b": 0, "c": 9, "d": 9, "e": 19, "f": 19}.items():
        town.put(wallet, x)
    town.told()
    for x in (9, 9, 19, 19):
        town.put("b", x)
        assert town.told() == {}
    assert town.told() == {"b": "C3"}


def test_a_teleport_is_told_at_once() -> None:
    town = Town()
    for wallet, x in {"a": 0, "b": 0, "c": 9, "d": 9}.items():
        town.put(wallet, x)
    town.told()
    town.put("b", 9, jump=True)
    assert town.told() == {"b": "C2"}


def test_another_realm_is_told_at_once_even_by_the_same_name() -> None:
    town = Town()
    town.put("a", 0)
    town.told()
    town.put("a", 0, realm="w.dcl.eth")
    (change,) = town.settle()
    assert (change.cluster, change.realm) == ("C1", "w.dcl.eth")


def test_who_was_told_of_a_cluster_that_is_no_more_is_told_at_once() -> None:
    town = Town()
    town.put("a", 0)
    town.put("b", 9)
    town.told()
    town.put("b", 1)
    assert town.told() == {"b": "C1"}


def test_a_cluster_has_the_name_of_the_one_with_which_it_shares_most() -> None:
    town = Town()
    for wallet in "abc":
        town.put(wallet, 0)
    assert set(town.told().values()) == {"C1"}
    town.put("a", 9)
    # Who walks off gets a cluster of its own, and keeps its name while it waits to be told.
    assert [town.told() for _ in range(3)] == [{}, {}, {"a": "C2"}]
    # Both are found in one: of three two were of C1.
    town.put("a", 0)
    assert town.told() == {"a": "C1"}


def test_of_two_that_share_as_much_the_older_name_counts() -> None:
    town = Town()
    town.put("b", 9)
    town.put("a", 0)
    assert town.told() == {"b": "C1", "a": "C2"}
    town.put("b", 0)
    assert town.told() == {"a": "C1"}


def test_of_two_pieces_the_larger_keeps_the_name_and_of_equals_the_first() -> None:
    town = Town()
    for wallet in "abcd":
        town.put(wallet, 0)
    town.told()
    town.put("a", 9)
    assert [town.told() for _ in range(3)][-1] == {"a": "C2"}
    town.put("d", 19)
    town.put("c", 19)
    town.put("b", 19)
    assert [town.told() for _ in range(3)] == [{}] * 3  # C1 has moved with all who are in it
    town.put("b", 29)
    town.put("c", 29)
    town.players["d"] = town.players.pop("d")
    assert [town.told() for _ in range(3)][-1] == {"d": "C3"}


def test_who_wants_a_name_and_does_not_get_it_has_a_new_one() -> None:
    """So it is there: b brings as much of C1 with it as there is of C2, and a has stayed where C1 was."""
    town = Town()
    for wallet, x in {"a": 0, "b": 0, "c": 9}.items():
        town.put(wallet, x)
    assert town.told() == {"a": "C1", "b": "C1", "c": "C2"}
    town.put("b", 9)
    assert town.told() == {"c": "C3"}
    assert [town.told() for _ in range(2)] == [{}, {"b": "C3"}]


def test_of_two_that_want_a_name_the_one_gets_it_that_shares_more_whichever_comes_first() -> None:
    town = Town()
    for wallet in "abc":
        town.put(wallet, 0)
    town.told()
    town.put("a", 9)
    assert [town.told() for _ in range(3)] == [{}, {}, {"a": "C2"}]


def test_names_are_not_used_again() -> None:
    town = Town()
    town.put("a", 0)
    assert town.told() == {"a": "C1"}
    town.players.clear()
    assert town.told() == {}
    assert town.clusters.assignments == {}
    town.put("a", 0)
    assert town.told() == {"a": "C2"}
    assert (
        Town(PulseSettings(prefix="K")).clusters.settle([Placed(1, "a", "s", "r", 0, 0, False)], 0.0)[0].cluster == "K1"
    )


def test_a_session_that_takes_the_place_of_another_one_says_so_once() -> None:
    town = Town()
    town.put("a", 0)
    town.told()
    town.put("a", 9, session="t")
    (change,) = town.settle()
    assert (change.session, change.displaced_session, change.displaced_cluster) == ("t", "s", "C1")
    town.put("a", 9, realm="w.dcl.eth", session="t")
    (change,) = town.settle()
    assert (change.displaced_session, change.displaced_cluster) == (None, None)


def test_the_same_session_displaces_nobody() -> None:
    town = Town()
    town.put("a", 0)
    town.told()
    town.players.clear()
    town.told()
    town.put("a", 0)
    (change,) = town.settle()
    assert change.displaced_session is None


def test_a_session_is_remembered_for_a_while() -> None:
    def displaced(seconds: float, limits: Limits | None = None) -> str | None:
        town = Town(PulseSettings(retention_seconds=10.0), limits)
        town.put("a", 0)
        town.put("z", 9)
        town.told()
        del town.players["a"]
        town.told()
        town.now += seconds
        town.told()
        town.put("a", 0, session="t")
        return {change.wallet: change.displaced_session for change in town.settle()}["a"]

    assert displaced(8.0) == "s"
    assert displaced(10.0) is None
    assert displaced(0.0, Limits(pulse_departed=0)) is None
    assert displaced(0.0, Limits(pulse_departed=1)) == "s"


WALLETS = tuple("abcdef")


class Walks(RuleBasedStateMachine):
    """Players come, walk, jump and leave; passes are made now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.town = Town()
        self.told: dict[str, ClusterChanged] = {}

    @rule(
        wallet=st.sampled_from(WALLETS),
        x=st.integers(0, 4),
        z=st.integers(0, 1),
        realm=st.sampled_from("qr"),
        jump=st.booleans(),
    )
    def walk(self, wallet: str, x: int, z: int, realm: str, jump: bool) -> None:
        self.town.put(wallet, x, z, realm=realm, jump=jump)

    @rule(wallet=st.sampled_from(WALLETS))
    def leave(self, wallet: str) -> None:
        self.town.players.pop(wallet, None)
        self.told.pop(wallet, None)

    @rule(passes=st.integers(1, 4))
    def settle(self, passes: int) -> None:
        for _ in range(passes):
            for change in self.town.settle():
                self.told[change.wallet] = change
            self.told = {wallet: change for wallet, change in self.told.items() if wallet in self.town.players}
            for wallet, one in self.town.players.items():
                self.town.players[wallet] = one._replace(teleported=False)
        if passes >= 3:
            self._is_settled()

    def _is_settled(self) -> None:
        """After three passes in which nobody moved, names are what the map says."""
        groups = defaultdict(set)
        for wallet, change in self.told.items():
            assert change.realm == self.town.players[wallet].realm
            groups[change.cluster].add(wallet)
        for one, other in combinations(self.town.players.values(), 2):
            near = one.realm == other.realm and abs(one.x - other.x) <= 1 and abs(one.z - other.z) <= 1
            if near:
                assert self.told[one.wallet].cluster == self.told[other.wallet].cluster
        for members in groups.values():
            self._is_whole(members)

    def _is_whole(self, members: set[str]) -> None:
        """One comes from one to any other by cells that touch."""
        places = {wallet: self.town.players[wallet] for wallet in members}
        first, *_ = members
        found, waiting = {first}, [first]
        while waiting:
            one = places[waiting.pop()]
            near = {
                wallet
                for wallet, other in places.items()
                if other.realm == one.realm and abs(one.x - other.x) <= 1 and abs(one.z - other.z) <= 1
            }
            waiting += near - found
            found |= near
        assert found == members

    @invariant()
    def what_is_told_is_what_is_remembered(self) -> None:
        assignments = self.town.clusters.assignments
        for wallet, change in self.told.items():
            if wallet in assignments:
                assert assignments[wallet] == (change.cluster, change.realm, change.session)


TestWalks = Walks.TestCase
TestWalks.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
