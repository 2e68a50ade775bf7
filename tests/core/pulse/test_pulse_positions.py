"""Everybody's position by HTTP: a source that asks once a second, and whom no answer can end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dcl_comms_core import (
    Arrival,
    CancelFetch,
    CloseReason,
    Fetch,
    Fetched,
    FetchFailed,
    LimitReached,
    Limits,
    LocalProtocolError,
    MergedRooms,
    MovementKind,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    Place,
    PositionsByHttp,
    RealmFollowing,
    RoomClosed,
    RoomOpened,
    WarningCode,
)
from dcl_comms_core import Warning as WarningEvent
from dcl_comms_core.inputs import SocketOpened

ONE, TWO = "0x" + "1" * 40, "0x" + "2" * 40


def peer(wallet: str, *place: float, **more: Any) -> dict[str, Any]:
    return {"id": wallet, "address": wallet, "lastPing": 1, "parcel": [0, 0], "position": list(place), **more}


class Rig:
    def __init__(self, **settings: Any) -> None:
        self.now = 100.0
        self.source = PositionsByHttp("https://stats.test/", **settings)
        self.source.set_realm("Main", now=self.now)
        self.source.open(now=self.now)
        self.events: list[Any] = []
        self.asked: list[Fetch] = []
        self.cancelled: list[CancelFetch] = []
        self.turn()

    def turn(self) -> None:
        for command in self.source.commands():
            if isinstance(command, Fetch):
                self.asked.append(command)
            else:
                assert isinstance(command, CancelFetch)
                self.cancelled.append(command)
        self.events += self.source.events()

    def answer(self, body: Any, status: int = 200) -> list[Any]:
        """What is told of an answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self.asked[-1].url
        fetched = Fetched(link=self.source.link, status=status, headers=(), body=data, url=url, place=Place.PUBLIC)
        self.source.receive(fetched, now=self.now)
        told, self.events = self.events, []
        self.turn()
        new, self.events = self.events, told
        self.events += new
        return new

    def peers(self, *peers: Any) -> list[Any]:
        return self.answer({"ok": True, "realm": "main", "peers": list(peers)})

    def until_asked(self) -> float:
        """Let time pass until it asks again: for how long."""
        asked, began = len(self.asked), self.now
        while len(self.asked) == asked:
            deadline = self.source.deadline()
            assert deadline is not None
            self.now = max(deadline, self.now)
            self.source.handle_timeout(self.now)
            self.turn()
        return self.now - began


def test_it_tells_who_is_there_once_a_second_and_only_what_changed() -> None:
    rig = Rig()
    assert rig.asked[0].url == "https://stats.test/realms/main/peers"
    opened, joined, moved = rig.peers(peer(ONE, 8, 0.5, -8))
    assert isinstance(opened, RoomOpened)
    assert isinstance(joined, PeerJoined)
    assert isinstance(moved, PeerMoved)
    assert (moved.room, moved.sender.text, moved.position, moved.kind) == (
        "positions",
        ONE,
        (8.0, 0.5, -8.0),
        MovementKind.POSITION,
    )
    assert rig.until_asked() == pytest.approx(1.0)
    assert rig.peers(peer(ONE.upper().replace("0X", "0x"), 8, 0.5, -8)) == []
    rig.until_asked()
    assert [type(event) for event in rig.peers(peer(ONE, 9, 0, 0), peer(TWO, 1, 2, 3))] == [
        PeerMoved,
        PeerJoined,
        PeerMoved,
    ]
    rig.until_asked()
    (left,) = rig.peers(peer(TWO, 1, 2, 3))
    assert (type(left), left.sender.text) == (PeerLeft, ONE)
    assert len({fetch.link for fetch in rig.asked}) == len(rig.asked)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b"\xff", 200),
        (b"[" * 100_000, 200),
        ([], 200),
        ({}, 200),
        ({"peers": {}}, 200),
        ({"ok": False, "peers": []}, 200),
        ({"peers": []}, 500),
        ({"peers": []}, 308),
        (b" " * 4_194_305, 200),
    ],
)
def test_an_odd_answer_is_a_warning_and_a_longer_pause_and_never_an_end(body: Any, status: int) -> None:
    rig = Rig()
    rig.peers(peer(ONE, 1, 2, 3))
    rig.until_asked()
    pauses = []
    for _ in range(8):
        rig.answer(body, status)
        pauses.append(rig.until_asked())
    assert pauses == pytest.approx([2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0])
    (warning,) = [event for event in rig.events if isinstance(event, WarningEvent)]
    assert (warning.code, "it is tried again" in warning.text) == (WarningCode.SOURCE_UNREACHABLE, True)
    assert not any(isinstance(event, PeerLeft | RoomClosed) for event in rig.events)
    assert rig.peers(peer(ONE, 1, 2, 3)) == []
    assert rig.until_asked() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "entry",
    [
        None, "x", {}, peer("", 1, 2, 3), peer("x" * 129, 1, 2, 3), peer(ONE, 1, 2), peer(ONE, 1, 2, 3, 4),
        peer(ONE, 1, 2, True), peer(ONE, 1, 2, 1e39), {**peer(ONE), "position": "here"}, {**peer(ONE), "position": [1, 2, "3"]},
        {**peer(ONE, 1, 2, 10**400)}, {**peer(ONE, 1, 2, 3), "address": 7},
    ],
)  # fmt: skip
def test_an_odd_entry_is_let_go_and_counted(entry: Any) -> None:
    rig = Rig()
    told = rig.peers(entry, peer(TWO, 1, 2, 3))
    assert [event.sender.text for event in told if isinstance(event, PeerJoined)] == [TWO]
    assert rig.source.counters["odd"] == 1


def test_no_answer_at_all_is_one_too() -> None:
    rig = Rig()
    failed = FetchFailed(link=rig.source.link, reason=CloseReason.UNREACHABLE, detail="no such name")
    rig.source.receive(failed, now=rig.now)
    rig.turn()
    assert "no such name" in rig.events[-1].text
    rig.source.receive(failed, now=rig.now)
    assert rig.source.counters["late"] == 1
    rig.until_asked()
    assert rig.until_asked() == pytest.approx(20.0 + 4.0)
    assert len(rig.cancelled) == 1


def test_the_first_answer_of_a_realm_says_who_was_there() -> None:
    def how(events: list[Any]) -> list[Arrival]:
        return [event.arrival for event in events if isinstance(event, PeerJoined)]

    rig = Rig()
    assert how(rig.peers(peer(ONE, 1, 2, 3))) == [Arrival.WAS_HERE]
    rig.until_asked()
    assert how(rig.peers(peer(ONE, 1, 2, 3), peer(TWO, 1, 2, 3))) == [Arrival.NEW]
    rig.source.set_realm("other", now=rig.now)
    rig.turn()
    assert how(rig.peers(peer(TWO, 1, 2, 3))) == [Arrival.WAS_HERE]


def test_another_realm_is_another_crowd() -> None:
    rig = Rig()
    rig.peers(peer(ONE, 1, 2, 3))
    rig.until_asked()
    rig.source.set_realm("My World.dcl.eth", now=rig.now)
    rig.turn()
    assert isinstance(rig.events[-1], PeerLeft)
    assert (rig.asked[-1].url, len(rig.cancelled)) == ("https://stats.test/realms/my%20world.dcl.eth/peers", 1)
    rig.source.set_realm("MY WORLD.dcl.eth", now=rig.now)
    rig.turn()
    assert len(rig.asked) == 3
    rig.source.set_realm("\ud800/..?#", now=rig.now)
    rig.turn()
    assert rig.asked[-1].url == "https://stats.test/realms/%3F%2F..%3F%23/peers"
    for nowhere in (None, "x" * 256):
        rig.source.set_realm(nowhere, now=rig.now)
        rig.turn()
        assert rig.source.deadline() is None
    assert len(rig.asked) == 4


def test_of_a_crowd_as_many_are_told_of_as_may_be() -> None:
    rig = Rig(limits=Limits(peers=1))
    told = rig.peers(peer(ONE, 1, 2, 3), peer(TWO, 1, 2, 3), peer("0x3", 1, 2, 3), peer(ONE, 9, 9, 9))
    assert [type(event) for event in told] == [RoomOpened, PeerJoined, PeerMoved, LimitReached]
    rig.until_asked()
    assert [type(event) for event in rig.peers(peer(TWO, 1, 2, 3))] == [PeerLeft, PeerJoined, PeerMoved]
    rig.until_asked()
    assert rig.peers(peer(TWO, 1, 2, 3), peer(ONE, 1, 2, 3)) == []


def test_it_ends_when_it_is_told_to() -> None:
    rig = Rig()
    rig.source.send_bytes(b"")
    rig.source.receive(SocketOpened(link=rig.source.link, place=Place.PUBLIC), now=rig.now)
    rig.source.close(now=rig.now)
    rig.source.close(now=rig.now)
    rig.turn()
    (closed,) = [event for event in rig.events if isinstance(event, RoomClosed)]
    assert (closed.reason, rig.source.deadline(), len(rig.cancelled)) == (CloseReason.CLIENT, None, 1)
    rig.source.set_realm("other", now=rig.now)
    rig.turn()
    assert len(rig.asked) == 1
    with pytest.raises(LocalProtocolError):
        rig.source.open(now=rig.now)


def test_who_waits_has_a_timer() -> None:
    rig = Rig()
    assert [timer.value for timer in rig.source.timers] == ["request"]
    rig.peers()
    assert [timer.value for timer in rig.source.timers] == ["retry"]
    rig.source.handle_timeout(rig.now)
    assert len(rig.asked) == 1


@pytest.mark.parametrize("every", [0.0, 0.5, float("nan"), float("inf")])
def test_the_service_is_not_asked_more_often_than_it_knows_better(every: float) -> None:
    with pytest.raises(LocalProtocolError, match="from 1"):
        PositionsByHttp(every=every)


def test_it_is_a_source_of_merged_rooms() -> None:
    merged = MergedRooms()
    source = PositionsByHttp(link=merged.new_link())
    assert isinstance(source, RealmFollowing)
    assert (source.room, source.sending) == ("positions", False)
    merged.set_realm("main", now=0.0)
    merged.attach(source, now=0.0)
    (fetch,) = merged.commands()
    assert isinstance(fetch, Fetch)
    assert fetch.url == "https://archipelago-ea-stats.decentraland.org/realms/main/peers"
    merged.close(now=1.0)
