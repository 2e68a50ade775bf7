"""How often we may speak to Pulse."""

from __future__ import annotations

import pytest

from dcl_comms_core.pulse.pace import Pace


def test_one_at_a_time_waits_for_its_gap() -> None:
    pace = Pace(0.1, 1)
    assert pace.due(5.0) == 5.0
    assert pace.take(5.0)
    assert not pace.take(5.05)
    assert pace.due(5.05) == 5.1
    assert pace.take(5.1)


def test_a_silence_saves_up_a_burst_and_no_more() -> None:
    pace = Pace(0.2, 4)
    for start in (100.0, 200.0):
        assert [pace.take(start) for _ in range(5)] == [True] * 4 + [False]
        assert pace.due(start) == pytest.approx(start + 0.2)
    times = [200.0 + n / 100 for n in range(201)]
    assert sum(pace.take(now) for now in times) == 10
