"""Who people are: asked of a realm that the test plays, of peers that it plays, and remembered."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcl_comms_core import (
    CancelFetch,
    CloseReason,
    Fetch,
    Fetched,
    FetchFailed,
    Limits,
    LinkRef,
    LocalProtocolError,
    PeerId,
    PeerLeft,
    Place,
    ProfileAnnounced,
    ProfileReceived,
    SendQueueFull,
)  # fmt: skip
from dcl_comms_core.avatars.avatar import Avatar
from dcl_comms_core.avatars.people import Lambdas, People
from dcl_comms_core.avatars.person import SaidBy

ADA, BOB, EVE = (PeerId("0x" + digits * 20) for digits in ("aD", "b0", "e5"))
LAMBDAS = Lambdas("https://realm.example/lambdas/")


@dataclass
class Sent:
    serialized: str


class Bench:
    def __init__(self, *, where=LAMBDAS, **limits):
        self.where = where
        self.now = 100.0
        self.there = {ADA, BOB, EVE}
        self.requests = []
        self.profiles = {}
        self.people = People(self, lambda: self.where, limits=Limits(**limits))

    def request_profile(self, who, version=0, *, now):
        assert now == self.now
        if who not in self.there:
            raise LocalProtocolError("it is not there")
        self.requests.append((who, version))
        return who not in self.profiles

    def profile(self, who):
        return self.profiles.get(who)

    def ask(self, who):
        return self.people.ask(who, now=self.now)

    def turn(self, seconds=0.0):
        self.now += seconds
        self.people.handle_timeout(self.now)
        return self.people.commands()

    def tell(self, *events):
        self.people.take(list(events), now=self.now)

    def answer(self, fetch, document, status=200):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        fetched = Fetched(link=fetch.link, status=status, headers=(), body=body, url=fetch.url, place=Place.PUBLIC)
        self.people.receive(fetched, now=self.now)

    def known(self, who, avatar):
        """Have the realm say who that is."""
        asking = self.ask(who)
        (fetch,) = self.turn()
        self.answer(fetch, [profile(who, avatar)])
        return asking.person


def profile(who, avatar=Avatar(name="Ada"), **fields):  # noqa: B008 - it is frozen
    return {"timestamp": 0, "avatars": [{**avatar.document(who.text), **fields}]}


def announced(who, version):
    return ProfileAnnounced(at=0.0, room="", sender=who, private=False, version=version)


def received(who, serialized):
    return ProfileReceived(at=0.0, room="", sender=who, private=False, serialized=serialized, base_url="http://evil")


def left(who):
    return PeerLeft(at=0.0, room="", sender=who)


# --- the realm


def test_many_are_asked_for_in_one_request():
    bench = Bench()
    ada, bob, again = bench.ask(ADA), bench.ask(BOB.text), bench.ask(ADA)
    assert again is ada
    assert bench.people.deadline() == bench.now
    (fetch,) = bench.turn()
    assert isinstance(fetch, Fetch)
    assert (fetch.url, fetch.method, fetch.max_bytes) == ("https://realm.example/lambdas/profiles", "POST", 2_097_152)
    assert json.loads(fetch.body) == {"ids": [ADA.key, BOB.key]}
    assert bench.turn() == []
    face = {"face256": "https://realm.example/face.png"}
    one = profile(ADA, hasClaimedName=True)
    one["avatars"][0]["avatar"]["snapshots"] = face
    bench.answer(fetch, [one, profile(BOB, Avatar(name="Bob", body="female", version=7, wearables=("tiara",)))])
    person = ada.person
    assert (person.id, person.name, person.claimed, person.version) == (ADA, "Ada", True, 1)
    assert (person.face, person.said_by, person.known) == (face["face256"], SaidBy.REALM, True)
    assert "urn:decentraland:off-chain:base-avatars:green_hoodie" in person.wearables
    assert json.loads(person.raw)["ethAddress"] == ADA.key
    assert (bob.person.name, bob.person.claimed, bob.person.version) == ("Bob", False, 7)
    assert bob.person.body.endswith("BaseFemale")
    assert bench.requests == []
    assert bench.people.deadline() is None
    # Once known, nobody is asked.
    assert bench.ask(ADA).person is person
    assert bench.turn(60.0) == []


def test_more_than_one_request_holds_are_asked_for_one_after_another():
    bench = Bench(whois_batch=2)
    asked = [bench.ask(who) for who in (ADA, BOB, EVE)]
    (first,) = bench.turn()
    assert bench.turn() == []
    bench.answer(first, [profile(ADA), profile(BOB)])
    assert bench.people.deadline() == bench.now
    (second,) = bench.turn()
    assert json.loads(second.body) == {"ids": [EVE.key]}
    bench.answer(first, [profile(EVE, Avatar(name="Late"))])
    assert not asked[2].done
    bench.answer(second, [profile(EVE, Avatar(name="Eve"))])
    assert [asking.person.name for asking in asked] == ["Ada", "Ada", "Eve"]
    bench.answer(second, [])


def test_a_newer_version_is_asked_for_anew():
    bench = Bench(people=2)
    bench.known(ADA, Avatar(name="Ada", version=3))
    bench.tell(announced(ADA, 3), announced(BOB, 9), announced(None, 1))
    assert bench.ask(ADA).done
    bench.tell(announced(ADA, 4))
    asking = bench.ask(ADA)
    assert not asking.done
    (fetch,) = bench.turn()
    bench.answer(fetch, [])
    # The peer is asked for the version that it announced.
    assert bench.requests == [(ADA, 4)]
    bench.tell(received(ADA, Avatar(name="Newer", version=4).serialized(ADA.text)))
    assert asking.person.name == "Newer"


def test_versions_that_were_announced_are_not_remembered_for_ever():
    bench = Bench(people=1)
    for who in (ADA, BOB):
        bench.known(who, Avatar(name="x"))
        bench.tell(announced(who, 5))
    bench.where = None
    bench.ask(ADA)
    bench.ask(BOB)
    assert bench.requests == [(ADA, 0), (BOB, 5)]


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\xff", b"{}", b"null", b"[1, null, {}]", b'[{"avatars": 1}, {"avatars": []}, {"avatars": [1]}]',
        b'[{"avatars": [{"userId": 5, "ethAddress": null}]}]', b"[" * 5_000, b" " * 3_000_000,
        json.dumps([profile(EVE)]).encode(), json.dumps([profile(ADA, Avatar(name="x"), email="m" * 70_000)]).encode(),
    ],
)  # fmt: skip
def test_what_a_realm_should_not_answer_has_the_peer_asked(answer):
    bench = Bench()
    asking = bench.ask(ADA)
    (fetch,) = bench.turn()
    bench.answer(fetch, answer)
    assert not asking.done
    assert bench.requests == [(ADA, 0)]
    bench.turn(5.0)
    assert asking.person.said_by is SaidBy.NOBODY
    assert (asking.person.known, asking.person.name) == (False, "")


def test_a_realm_that_fails_refuses_or_is_silent():
    bench = Bench()
    asking = bench.ask(ADA)
    (fetch,) = bench.turn()
    bench.answer(fetch, [profile(ADA)], status=500)
    bench.tell(received(ADA, Avatar(name="Ada").serialized(ADA.text)))
    assert asking.person.said_by is SaidBy.PEER
    asking = bench.ask(BOB)
    (fetch,) = bench.turn()
    bench.people.receive(FetchFailed(link=fetch.link, reason=CloseReason.UNREACHABLE), now=bench.now)
    assert not asking.done
    bench.tell(left(EVE), left(BOB))
    assert not asking.person.known
    asking = bench.ask(EVE)
    (fetch,) = bench.turn()
    assert bench.turn(4.9) == []
    assert bench.turn(0.2) == [CancelFetch(link=fetch.link)]
    bench.answer(fetch, [profile(EVE)])
    assert (asking.done, bench.requests[-1]) == (False, (EVE, 0))


def test_a_realm_that_is_gone_when_its_turn_comes():
    bench = Bench()
    bench.ask(ADA)
    bench.where = None
    assert bench.turn() == []
    assert bench.requests == [(ADA, 0)]
    bench.people.receive(
        Fetched(link=LinkRef(-1, 0), status=200, headers=(), body=b"", url="", place=Place.PUBLIC), now=bench.now
    )


# --- peers


def test_without_a_realm_the_peer_is_asked_and_is_nobody_but_itself():
    bench = Bench(where=None)
    asking = bench.ask(ADA)
    assert bench.requests == [(ADA, 0)]
    assert bench.people.deadline() == bench.now + 5.0
    document = profile(EVE, Avatar(name="Ada"), hasClaimedName=True, version=-1)["avatars"][0]
    document["avatar"]["snapshots"] = {"face256": "https://evil.example/track.png"}
    bench.tell(received(None, "{}"), received(BOB, json.dumps(document)), received(ADA, json.dumps(document)))
    person = asking.person
    assert (person.id, person.name, person.said_by) == (ADA, "Ada", SaidBy.PEER)
    # What only a realm can say, and what would have somebody fetch from where a peer says.
    assert (person.claimed, person.face, person.version) == (False, "", 0)


def test_who_has_no_wallet_is_asked_itself():
    bench = Bench()
    bench.there.add(PeerId("streamer"))
    bench.ask("streamer")
    assert bench.requests == [(PeerId("streamer"), 0)]


def test_what_the_room_has_already_is_not_asked_for():
    bench = Bench(where=None)
    bench.profiles[ADA] = Sent('{"name": "Ada"}')
    assert bench.ask(ADA).person.name == "Ada"


@pytest.mark.parametrize(
    "serialized",
    ["", "[]", "null", "{", '{"a":' * 2_000, '{"name": "' + "x" * 70_000 + '"}', '"text"'],
)
def test_what_peers_should_not_send_of_themselves(serialized):
    bench = Bench(where=None)
    asking = bench.ask(ADA)
    bench.tell(received(ADA, serialized))
    assert not asking.person.known


def test_odd_members_are_left_out():
    bench = Bench(where=None)
    asking = bench.ask(ADA)
    document = {
        "name": ["x"], "version": True, "hasClaimedName": "yes",
        "avatar": {"bodyShape": 5, "wearables": [1, "urn:x", "", "y" * 1_000], "snapshots": []},
    }  # fmt: skip
    bench.tell(received(ADA, json.dumps(document)))
    person = asking.person
    assert (person.name, person.version, person.body, person.face) == ("", 0, "", "")
    assert person.wearables == ("urn:x", "y" * 256)


def test_nobody_is_asked_for_again_for_ten_seconds():
    bench = Bench()
    bench.there.clear()
    asking = bench.ask(ADA)
    (fetch,) = bench.turn()
    bench.answer(fetch, [])
    assert not asking.person.known
    bench.now += 9.0
    assert bench.ask(ADA).person is asking.person
    bench.now += 2.0
    assert not bench.ask(ADA).done


# --- bounds


def test_too_many_questions_at_once():
    bench = Bench(whois_waiting=2)
    bench.ask(ADA)
    bench.ask(BOB)
    bench.ask(ADA)
    with pytest.raises(SendQueueFull, match="whois_waiting"):
        bench.ask(EVE)
    for wrong in ("", None, 5):
        with pytest.raises(LocalProtocolError):
            bench.ask(wrong)


def test_the_oldest_are_forgotten_by_number_and_by_size():
    bench = Bench(people=2)
    for who in (ADA, BOB):
        bench.known(who, Avatar(name="x"))
    bench.ask(ADA)
    bench.known(EVE, Avatar(name="x"))
    assert [bench.ask(who).done for who in (ADA, EVE, BOB)] == [True, True, False]
    bench = Bench(people_bytes=12_000)
    for who in (ADA, BOB, EVE):
        bench.known(who, Avatar(name="x"))
    assert [bench.ask(who).done for who in (ADA, BOB, EVE)] == [False, False, True]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.sampled_from([ADA, BOB, EVE, PeerId("streamer")])),
            st.tuples(st.just("turn"), st.floats(0.0, 6.0)),
            st.tuples(st.just("answer"), st.sampled_from([[], [ADA], [ADA, BOB, EVE]])),
            st.tuples(st.just("leave"), st.sampled_from([ADA, BOB])),
            st.tuples(st.just("announce"), st.sampled_from([ADA, BOB])),
            st.tuples(st.just("send"), st.sampled_from([ADA, BOB, EVE])),
        ),
        max_size=40,
    )
)
def test_whatever_happens_every_question_is_answered_in_time(steps):
    bench = Bench(whois_batch=2, people=2)
    asked, fetches = [], []
    for number, (kind, value) in enumerate(steps):
        match kind:
            case "ask":
                asked.append((bench.ask(value), bench.now))
            case "turn":
                fetches += [one for one in bench.turn(value) if isinstance(one, Fetch)]
            case "answer" if fetches:
                bench.answer(fetches[-1], [profile(who) for who in value])
            case "leave":
                bench.there.discard(value)
                bench.tell(left(value))
            case "announce":
                bench.tell(announced(value, number))
            case "send":
                bench.tell(received(value, '{"version": 1}'))
            case _:
                pass
    for _ in range(20):
        bench.turn(5.0)
    assert all(asking.done for asking, _ in asked)
    assert bench.people.deadline() is None
