"""Which messages were told already."""

from __future__ import annotations

from dcl_comms_core import Seen


def test_a_message_is_new_once_whatever_room_it_comes_through() -> None:
    seen = Seen()
    island, scene = seen.enrol(), seen.enrol()
    assert seen.is_new("hello", (None, island, 1))
    assert not seen.is_new("hello", (None, island, 1))
    assert not seen.is_new("hello", (None, scene, 7))
    assert len(seen) == 1


def test_a_sender_that_restarted_may_use_its_keys_again() -> None:
    seen = Seen()
    island, scene = seen.enrol(), seen.enrol()
    assert seen.is_new("hello", (None, island, 1))
    assert seen.is_new("hello", (None, island, 2))
    assert not seen.is_new("hello", (None, scene, 2))
    assert not seen.is_new("hello", (None, island, 2))


def test_another_value_is_news() -> None:
    seen = Seen()
    room = seen.enrol()
    assert seen.is_new("thumb", ("put", room, 1))
    assert seen.is_new("thumb", ("taken", room, 1))
    assert not seen.is_new("thumb", ("taken", room, 1))
    assert seen.is_new("thumb", ("put", room, 1))


def test_what_may_come_again_is_repeated_by_another_room_only() -> None:
    seen = Seen()
    island, scene = seen.enrol(), seen.enrol()
    assert seen.is_new("stop", (None, island, None))
    assert not seen.is_new("stop", (None, scene, None))
    assert seen.is_new("stop", (None, island, None))
    assert not seen.is_new("stop", (None, scene, None))


def test_so_many_are_remembered_at_least_and_twice_as_many_at_most() -> None:
    seen = Seen(10)
    room = seen.enrol()
    for number in range(200):
        assert seen.is_new(number, (None, room, 1))
        # Those that come again are the newest from then on, and take no more place than others.
        for back in range(min(number, 9)):
            assert not seen.is_new(number - back, (None, room, 1))
        assert min(number + 1, 10) <= len(seen) <= 20


def test_the_oldest_are_forgotten_and_what_comes_again_is_not_old() -> None:
    seen = Seen(2)
    room = seen.enrol()
    for key in ("a", "b"):
        assert seen.is_new(key, (None, room, 1))
    assert not seen.is_new("a", (None, room, 1))
    assert seen.is_new("c", (None, room, 1))
    assert len(seen) == 2
    assert not seen.is_new("a", (None, room, 1))
    assert seen.is_new("b", (None, room, 1))
    nothing = Seen(0)
    assert nothing.is_new("a", (None, room, 1))
    assert nothing.is_new("a", (None, room, 1))
