"""What is read from a transport's statistics."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.livekit.counters import Counters
from dcl_comms_drivers.livekit.engine.ffi import FfiEvent


def statistics(*pairs, selected="used"):
    """As the engine answers; a pair: its id, round trip in seconds, and how many checks were answered."""
    answer = FfiEvent().get_session_stats.result.publisher_stats
    transport = answer.add().transport.transport
    transport.bytes_sent, transport.packets_received = 300, 2
    transport.selected_candidate_pair_id = selected
    for name, seconds, answered in pairs:
        pair = answer.add().candidate_pair
        pair.rtc.id = name
        pair.candidate_pair.current_round_trip_time = seconds
        pair.candidate_pair.responses_received = answered
    return answer


@pytest.mark.parametrize(
    ("pairs", "round_trip"),
    [
        pytest.param([("used", 0.012, 5)], 0.012, id="in whole milliseconds"),
        pytest.param([("used", 0.0, 5)], 0.0, id="less than a millisecond is a measurement"),
        pytest.param([("used", 0.0, 0)], None, id="no check was answered yet"),
        pytest.param([("used", 0.001, 1), ("other", 0.5, 9)], 0.001, id="of the way in use"),
        pytest.param([("other", 0.5, 9)], None, id="no way in use"),
        pytest.param([], None, id="nothing known"),
    ],
)
def test_the_round_trip(pairs, round_trip):
    assert Counters.of(statistics(*pairs)).round_trip == round_trip


def test_what_went_and_came():
    counters = Counters.of(statistics(("used", 0.012, 5)))
    assert (counters.bytes_sent, counters.packets_received) == (300, 2)
