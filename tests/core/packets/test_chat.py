"""The clocks of chat messages."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core.packets.chat import chat_sent_at, chat_timestamp


def test_an_ole_automation_date_counts_days() -> None:
    # 2024-05-01 12:00 UTC: 45413 days after 1899-12-30, and a half.
    assert chat_timestamp(datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()) == 45_413.5


@given(st.floats(1.5e9, 4.0e9))
def test_there_and_back(unix: float) -> None:
    assert chat_sent_at(chat_timestamp(unix)) == pytest.approx(unix, abs=1e-3)


@pytest.mark.parametrize(
    ("stamp", "sent_at"),
    [
        (45_413.5, 1_714_564_800.0),
        (1_714_564_800.0, 1_714_564_800.0),
        (1_714_564_800_000.0, 1_714_564_800.0),
        (1e11, 1e8),
        (123.0, None),
        (0.0, None),
        (-5.0, None),
        (40_000.0, None),
        (80_000.0, None),
        (1e14, None),
        (1e300, None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
    ],
)
def test_stamps_of_every_sender(stamp: float, sent_at: float | None) -> None:
    assert chat_sent_at(stamp) == (None if sent_at is None else pytest.approx(sent_at))


@given(st.floats())
def test_what_comes_out_is_a_date(stamp: float) -> None:
    sent_at = chat_sent_at(stamp)
    assert sent_at is None or datetime.fromtimestamp(sent_at, UTC).year >= 1973
