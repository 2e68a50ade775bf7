"""Which messages were told already."""

from __future__ import annotations

from dcl_comms_core import Seen


def test_a_message_is_new_once_whatever_room_it_comes_through() -> None:
    seen = Seen()
    island, scene = seen.enrol(), seen.enrol()
    assert seen.is_new("hello", None, island, 1)
    assert not seen.is_new("hello", None, island, 1)
    assert not seen.is_new("hello", None, scene, 7)
    assert len(seen) == 1


def test_a_sender_that_restarted_may_use_its_keys_again() -> None:
    seen = Seen()
    island, scene = seen.enrol(), seen.enrol()
    assert seen.is_new("hello", None, island, 1)
    assert seen.is_new("hello", None, island, 2)
    assert not seen.is_new("hello", None, scene, 2)
    assert not seen.is_new("hello", None, island, 2)


def test_another_value_is_news() -> None:
    seen = Seen()
    room = seen.enrol()
    assert seen.is_new("thumb", "put", room, 1)
    assert seen.is_new("thumb", "taken", room, 1)
    assert not seen.is_new("thumb", "taken", room, 1)
    assert seen.is_new("thumb", "put", room, 1)


def test_the_oldest_are_forgotten_and_what_comes_again_is_not_old() -> None:
    seen = Seen(2)
    room = seen.enrol()
    for key in ("a", "b"):
        assert seen.is_new(key, None, room, 1)
    assert not seen.is_new("a", None, room, 1)
    assert seen.is_new("c", None, room, 1)
    assert len(seen) == 2
    assert not seen.is_new("a", None, room, 1)
    assert seen.is_new("b", None, room, 1)
    assert Seen(0).is_new("a", None, room, 1)
