"""Whom to come back to, of many."""

from __future__ import annotations

from dcl_comms_core.servers.livekit.wakes import Wakes


def due(wakes: Wakes[str], now: float) -> list[str]:
    found = []
    while (owner := wakes.pop(now)) is not None:
        found.append(owner)
    return found


def test_each_comes_once_in_order():
    wakes: Wakes[str] = Wakes()
    assert wakes.deadline() is None
    wakes.set("late", 5.0)
    wakes.set("soon", 2.0)
    wakes.set("with soon", 2.0)
    assert wakes.deadline() == 2.0
    assert due(wakes, 1.0) == []
    assert due(wakes, 2.0) == ["soon", "with soon"]
    assert due(wakes, 9.0) == ["late"]
    assert wakes.deadline() is None


def test_a_time_moves_forward_and_back():
    wakes: Wakes[str] = Wakes()
    wakes.set("a", 5.0)
    wakes.set("a", 8.0)
    assert due(wakes, 5.0) == []
    assert wakes.deadline() == 8.0
    wakes.set("a", 6.0)
    wakes.set("a", 3.0)
    assert wakes.deadline() == 3.0
    assert due(wakes, 3.0) == ["a"]
    wakes.set("a", 7.0)
    assert due(wakes, 6.5) == []
    assert due(wakes, 9.0) == ["a"]


def test_who_is_forgotten_does_not_come():
    wakes: Wakes[str] = Wakes()
    wakes.set("a", 1.0)
    wakes.set("b", 2.0)
    wakes.forget("a")
    wakes.forget("nobody")
    assert wakes.deadline() == 2.0
    wakes.forget("b")
    assert due(wakes, 3.0) == []
    wakes.set("b", 4.0)
    assert due(wakes, 4.0) == ["b"]
    wakes.set("c", 1.0)
    wakes.forget("c")
    assert wakes.deadline() is None
