"""The arithmetic of LiveKit's envelope against sizes that the engine itself reported."""

from __future__ import annotations

import pytest

from dcl_comms_core.packets.envelope import LIVEKIT_MAX_PACKET, livekit_packet_size

TEN = tuple(f"y{n}" for n in range(10))


@pytest.mark.parametrize(
    ("identity", "reliable", "topic", "to", "sequence", "overhead"),
    [
        # What livekit 1.2.1 said of 64000 bytes in "data packet size (N bytes) exceeds ...".
        ("a", True, "", None, 1, 34),
        ("a", True, "", ("x",), 14, 37),
        ("a", True, "", ("0x" + "1" * 40,), 27, 78),
        ("a", True, "", TEN, 40, 74),
        ("a", True, "", ("z" * 200,), 53, 237),
        ("a", True, "t", None, 131, 38),
        ("a", True, "t" * 130, None, 196, 168),
        ("a", False, "", None, 1, 29),
        ("a", False, "t", None, 1, 32),
        ("a", False, "t" * 130, ("z" * 200,), 1, 365),
        ("a" * 42, True, "", None, 1, 75),
        ("a" * 42, True, "t" * 130, ("z" * 200,), 196, 412),
    ],
)
def test_overhead_is_what_the_engine_reports(
    identity: str, reliable: bool, topic: str, to: tuple[str, ...] | None, sequence: int, overhead: int
) -> None:
    size = livekit_packet_size(64_000, identity=identity, to=to, topic=topic, reliable=reliable, sequence=sequence)
    assert size == 64_000 + overhead


def test_lengths_count_utf8_bytes() -> None:
    plain = livekit_packet_size(10, identity="ab", to=("ab",), topic="ab", reliable=False)
    assert livekit_packet_size(10, identity="é", to=("é",), topic="é", reliable=False) == plain


def test_everybody_costs_no_addressee() -> None:
    assert livekit_packet_size(1, identity="a", to=None) == livekit_packet_size(1, identity="a", to=())


def test_an_empty_payload_is_left_out() -> None:
    assert livekit_packet_size(1, identity="a", to=None) - livekit_packet_size(0, identity="a", to=None) == 3


@pytest.mark.parametrize(("sequence", "width"), [(1, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2**32 - 1, 5)])
def test_the_sequence_grows_with_the_connection(sequence: int, width: int) -> None:
    first = livekit_packet_size(100, identity="a", to=None)
    assert livekit_packet_size(100, identity="a", to=None, sequence=sequence) == first - 1 + width


def test_sizes_never_shrink_with_the_payload() -> None:
    sizes = [livekit_packet_size(n, identity="a", to=None) for n in range(20_000)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


def test_the_limit_is_the_negotiated_message_size() -> None:
    assert livekit_packet_size(63_966, identity="a", to=None) == LIVEKIT_MAX_PACKET
