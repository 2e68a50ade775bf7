"""The numbers by which a ws-room names senders."""

from __future__ import annotations

from dcl_comms_core import Participant
from dcl_comms_core.room.incoming.aliases import Aliases


def test_a_number_stands_for_an_address_as_it_was_written() -> None:
    aliases = Aliases(10)
    assert aliases.put(7, "0xABC") == Participant(identity="0xABC", sid="7")
    assert (aliases.address(7), aliases.address(8)) == ("0xABC", None)


def test_who_leaves_is_gone_and_a_number_that_is_not_known_is_nobody() -> None:
    aliases = Aliases(10)
    aliases.put(7, "0xABC")
    assert (aliases.pop(7), aliases.pop(7)) == (("0xABC", True), None)
    assert (aliases.address(7), aliases.participants()) == (None, ())


def test_a_wallet_with_two_numbers_is_there_once_by_its_newest() -> None:
    aliases = Aliases(10)
    aliases.put(1, "0xABC")
    aliases.put(2, "0xDEF")
    aliases.put(3, "0xabc")
    assert [one.sid for one in aliases.participants()] == ["3", "2"]


def test_a_wallet_is_gone_when_its_newest_number_is_whichever_leaves_first() -> None:
    aliases = Aliases(10)
    aliases.put(1, "0xABC")
    aliases.put(2, "0xabc")
    assert (aliases.pop(1), aliases.pop(2)) == (("0xABC", False), ("0xabc", True))
    aliases.put(1, "0xABC")
    aliases.put(2, "0xabc")
    assert (aliases.pop(2), aliases.pop(1)) == (("0xabc", True), ("0xABC", False))


def test_a_full_table_takes_nobody_until_somebody_leaves() -> None:
    aliases = Aliases(1)
    assert aliases.put(1, "0xABC") is not None
    assert (aliases.put(2, "0xDEF"), aliases.address(2)) == (None, None)
    aliases.pop(1)
    assert aliases.put(2, "0xDEF") is not None


def test_all_are_forgotten_at_once() -> None:
    aliases = Aliases(1)
    aliases.put(1, "0xABC")
    aliases.clear()
    assert (aliases.address(1), aliases.participants()) == (None, ())
    assert aliases.put(2, "0xDEF") is not None
