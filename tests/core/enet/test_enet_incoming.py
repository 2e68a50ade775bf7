"""A channel's way in: order, repeats, pieces, and how much may wait."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core.enet.delivery import Delivery
from dcl_comms_core.enet.fragments import OVERHEAD
from dcl_comms_core.enet.incoming import AHEAD, Incoming, Take, Unsequenced, Waiting
from dcl_comms_core.enet.wire import Fragment


class Channel(Incoming):
    """With what it told and what waits."""

    def __init__(self, most: int = 65_536, room: int = 262_144) -> None:
        self.told: list = []
        self.waiting = Waiting(room)
        super().__init__(2, lambda *message: self.told.append(message), self.waiting, most)

    def heard(self) -> list[bytes]:
        return [payload for _, payload, _ in self.told]


def pieces(start: int, payload: bytes, size: int = 600) -> list[tuple[int, Fragment, bytes]]:
    count = -(-len(payload) // size)
    return [
        (
            start + which & 0xFFFF,
            Fragment(start, count, which, len(payload), which * size),
            payload[which * size :][:size],
        )
        for which in range(count)
    ]


def test_in_order_whatever_comes_first():
    channel = Channel()
    assert channel.reliable(2, b"two") is Take.TAKEN
    assert channel.reliable(2, b"two") is Take.REPEATED
    assert channel.heard() == []
    assert channel.waiting.size == 3 + OVERHEAD
    assert channel.reliable(1, b"one") is Take.TAKEN
    assert channel.heard() == [b"one", b"two"]
    assert channel.waiting.size == 0
    assert channel.told == [(2, b"one", Delivery.RELIABLE), (2, b"two", Delivery.RELIABLE)]
    assert channel.reliable(1, b"one") is channel.reliable(2, b"two") is Take.REPEATED
    assert channel.reliable(2 + AHEAD, b"far") is Take.WRONG
    assert channel.reliable(1 + AHEAD, b"near") is Take.TAKEN


def test_numbers_go_round():
    channel = Channel()
    for number in range(1, 0xFFFE):
        assert channel.reliable(number, b"") is Take.TAKEN
    for piece in reversed(pieces(0xFFFE, bytes(2_000))):
        assert channel.fragment(*piece) is Take.TAKEN
    assert channel.reliable(2, b"next") is Take.TAKEN
    assert channel.heard()[0xFFFD:] == [bytes(2_000), b"next"]


def test_a_message_over_the_limit_is_no_message():
    channel = Channel(most=4)
    assert channel.reliable(1, b"12345") is channel.unreliable(0, 1, b"12345") is Take.WRONG
    assert channel.told == []


def test_unreliable_ones_never_go_back():
    channel = Channel()
    assert channel.unreliable(0, 2, b"b") is Take.TAKEN
    assert channel.unreliable(0, 1, b"a") is channel.unreliable(0, 2, b"b") is Take.LATE
    assert channel.unreliable(0xFFFF, 9, b"before the last reliable one") is Take.LATE
    assert channel.heard() == [b"b"]
    channel.reliable(1, b"r")
    assert channel.unreliable(0, 3, b"c") is Take.LATE
    assert channel.unreliable(1, 1, b"d") is Take.TAKEN
    assert channel.heard() == [b"b", b"r", b"d"]


def test_unreliable_ones_wait_for_the_reliable_one_before_them():
    channel = Channel()
    assert channel.unreliable(1, 2, b"c") is channel.unreliable(1, 1, b"b") is Take.TAKEN
    assert channel.unreliable(1, 1, b"b") is Take.LATE
    assert channel.unreliable(3, 1, b"e") is Take.TAKEN
    channel.reliable(1, b"a")
    assert channel.heard() == [b"a", b"b", b"c"]
    channel.reliable(2, b"d")
    channel.reliable(4, b"g")
    channel.reliable(3, b"dd")
    assert channel.heard() == [b"a", b"b", b"c", b"d", b"dd", b"e", b"g"]
    assert channel.waiting.size == 0


def test_what_waits_is_bounded_and_the_next_in_order_always_fits():
    channel = Channel(room=2 * OVERHEAD + 20)
    assert channel.reliable(2, b"1234567890") is Take.TAKEN
    assert channel.reliable(3, b"12345678901") is Take.FULL
    assert channel.unreliable(1, 1, b"12345678901") is Take.FULL
    assert channel.unreliable(1, 1, b"1234567890") is Take.TAKEN
    assert channel.fragment(*pieces(4, bytes(700))[0]) is Take.FULL
    for piece in pieces(1, bytes(700)):
        # Who numbers two messages alike is told one of them.
        assert channel.fragment(*piece) is Take.TAKEN
    assert channel.heard() == [bytes(700)]
    assert channel.waiting.size == 0


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 5_000), min_size=1, max_size=6))
def test_pieces_in_any_order(random: Random, sizes: list[int]):
    channel = Channel()
    messages = [bytes([place]) * size for place, size in enumerate(sizes)]
    sent = []
    number = 0
    for message in messages:
        if len(message) > 600:
            parts = pieces(number + 1 & 0xFFFF, message)
            sent += parts
            number = number + len(parts) & 0xFFFF
        else:
            number = number + 1 & 0xFFFF
            sent.append((number, None, message))
    arriving = sent + random.sample(sent, len(sent) // 2)
    random.shuffle(arriving)
    for number, which, payload in arriving:
        took = channel.reliable(number, payload) if which is None else channel.fragment(number, which, payload)
        assert took in (Take.TAKEN, Take.REPEATED)
    assert channel.heard() == messages
    assert channel.waiting.size == 0


@pytest.mark.parametrize(
    "which",
    [
        Fragment(1, 2, 2, 700, 600),
        Fragment(1, 2, 0, 65_537, 0),
        Fragment(1, 2, 1, 600, 600),
        Fragment(1, 9, 0, 700, 0),
        Fragment(2, 2, 0, 700, 0),
        Fragment(0, 2, 1, 700, 600),
        Fragment(1, 0, 0, 700, 0),
    ],
    ids=["beyond the last", "too large", "beyond the end", "too many", "another number", "told already", "none"],
)
def test_pieces_that_can_not_be(which):
    channel = Channel()
    assert channel.fragment(1, which, bytes(600)) is Take.WRONG
    assert channel.fragment(1, Fragment(1, 2, 0, 700, 0), bytes(511)) is Take.WRONG
    assert channel.fragment(1, Fragment(1, 2, 0, 700, 0), b"") is Take.WRONG
    assert channel.waiting.size == 0


def test_pieces_that_belong_to_no_common_whole():
    channel = Channel()
    first, second, third = pieces(1, bytes(1_300))
    assert channel.fragment(*second) is Take.TAKEN
    assert channel.fragment(*second) is Take.REPEATED
    for other in (
        Fragment(1, 3, 0, 1_301, 0),
        Fragment(1, 4, 0, 1_600, 0),
        Fragment(1, 3, 0, 1_300, 5),
    ):
        assert channel.fragment(1, other, bytes(600)) is Take.WRONG
    assert channel.fragment(1, first[1], bytes(599)) is Take.WRONG
    assert channel.fragment(3, third[1], bytes(99)) is Take.WRONG
    assert channel.waiting.size == 600 + OVERHEAD
    assert channel.fragment(*first) is channel.fragment(*third) is Take.TAKEN
    assert channel.fragment(*third) is Take.REPEATED
    assert channel.heard() == [bytes(1_300)]


def test_a_whole_that_waits_knows_its_pieces():
    channel = Channel()
    for piece in pieces(2, bytes(1_300)):
        channel.fragment(*piece)
    assert channel.fragment(*pieces(2, bytes(1_300))[1]) is Take.REPEATED
    channel.reliable(1, b"")
    assert channel.heard() == [b"", bytes(1_300)]


def test_numbers_used_twice_leave_nothing_behind():
    channel = Channel()
    # A whole of three numbers, and others that claim to be in its midst.
    for piece in pieces(1, bytes(1_300))[1:]:
        channel.fragment(*piece)
    channel.reliable(2, b"x")
    channel.unreliable(2, 1, b"y")
    channel.fragment(*pieces(3, bytes(1_300))[0])
    channel.fragment(*pieces(1, bytes(1_300))[0])
    assert channel.heard() == [bytes(1_300)]
    assert channel.waiting.size == 0
    assert channel.reliable(4, b"next") is Take.TAKEN
    channel.fragment(*pieces(5, bytes(1_300))[0])
    assert channel.reliable(5, b"instead") is Take.TAKEN
    assert channel.heard()[1:] == [b"next", b"instead"]
    assert channel.waiting.size == 0


def test_unreliable_pieces():
    channel = Channel()
    parts = pieces(4, b"x" * 1_300)
    for _, which, payload in parts:
        assert channel.unreliable_fragment(0, which, payload) is Take.TAKEN
    assert channel.heard() == [b"x" * 1_300]
    assert channel.unreliable_fragment(0, parts[0][1], parts[0][2]) is Take.LATE
    assert channel.unreliable_fragment(0xFFFE, parts[0][1], parts[0][2]) is Take.LATE
    wrong = parts[0][1]._replace(start=5, which=3)
    assert channel.unreliable_fragment(0, wrong, parts[0][2]) is Take.WRONG
    # One that is not whole is let go once something newer came, or a newer reliable number.
    channel.unreliable_fragment(0, Fragment(5, 3, 0, 1_300, 0), bytes(600))
    channel.unreliable_fragment(0, Fragment(9, 3, 0, 1_300, 0), bytes(600))
    channel.unreliable_fragment(1, Fragment(1, 3, 0, 1_300, 0), bytes(600))
    assert channel.waiting.size == 3 * (600 + OVERHEAD)
    channel.unreliable(0, 6, b"newer")
    assert channel.waiting.size == 2 * (600 + OVERHEAD)
    channel.reliable(1, b"r")
    assert channel.waiting.size == 600 + OVERHEAD
    for _, which, payload in pieces(1, b"z" * 1_300)[1:]:
        channel.unreliable_fragment(1, which, payload)
    assert channel.heard()[-1][600:] == b"z" * 700
    assert channel.waiting.size == 0


def test_a_handful_of_unreliable_wholes_at_once():
    channel = Channel()
    for start in range(1, 12):
        assert channel.unreliable_fragment(0, Fragment(start, 2, 0, 700, 0), bytes(600)) is Take.TAKEN
    assert channel.waiting.size == 8 * (600 + OVERHEAD)


def test_unsequenced_ones_come_once():
    window = Unsequenced()
    assert [window.take(group) for group in (1, 2, 1, 3, 2)] == [True, True, False, True, False]
    assert window.take(1_023)
    assert window.take(5_000)
    assert not window.take(5_000)
    # One from before the window is one that is too far ahead.
    assert not window.take(1)
    for group in range(5_001, 140_000, 97):
        assert window.take(group & 0xFFFF)
        assert not window.take(group & 0xFFFF)
