"""Why Pulse hung up, and what may help."""

from __future__ import annotations

import pytest

from dcl_comms_core import CloseReason, Retry
from dcl_comms_core.pulse.reasons import ENDINGS, DisconnectReason, ending, refused

WORTH_IT = {0: 3.0, 1: 3.0, 2: 3.0, 6: 60.0, 7: 10.0, 8: 10.0, 17: 300.0, 18: 300.0}
"""What may help is to try again after so many seconds; nothing does of the rest."""


@pytest.mark.parametrize("code", range(20))
def test_each_number_says_whether_to_try_again_and_when(code: int) -> None:
    end = ending(code)
    assert (end.retry is Retry.BACKOFF, end.pause) == (code in WORTH_IT, WORTH_IT.get(code, 0.0))
    assert end.detail


def test_every_number_has_its_own_meaning() -> None:
    assert ENDINGS.keys() == set(DisconnectReason) == set(range(20))
    assert len({end.detail for end in ENDINGS.values()}) == 20
    assert {code: ending(code).reason for code in (1, 4, 5, 6)} == {
        1: CloseReason.SERVER_SHUTDOWN,
        4: CloseReason.DUPLICATE_IDENTITY,
        5: CloseReason.BANNED,
        6: CloseReason.ROOM_FULL,
    }


@pytest.mark.parametrize("code", [20, 2**32 - 1])
def test_a_number_that_is_newer_than_this_library_is_tried_again_after_long(code: int) -> None:
    end = ending(code)
    assert (end.reason, end.retry, end.pause) == (CloseReason.PROTOCOL, Retry.BACKOFF, 60.0)
    assert str(code) in end.detail


@pytest.mark.parametrize(
    ("error", "reason", "told"),
    [
        ("banned", CloseReason.BANNED, "banned"),
        ("Invalid signature for final payload.", CloseReason.AUTHENTICATION, "Invalid signature for final payload."),
        ("", CloseReason.AUTHENTICATION, "it does not say why"),
        ("x" * 2_000, CloseReason.AUTHENTICATION, "it does not say why"),
        ("no \x1b[31m" + "a" * 64, CloseReason.AUTHENTICATION, "***"),
    ],
)
def test_a_refused_handshake_says_what_the_service_said_and_no_secret(
    error: str, reason: CloseReason, told: str
) -> None:
    end = refused(error)
    assert (end.reason, end.retry) == (reason, Retry.NEVER)
    assert told in end.detail
    assert "\x1b" not in end.detail
