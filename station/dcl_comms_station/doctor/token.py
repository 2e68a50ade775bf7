"""The stage that reads a token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dcl_comms_core.errors import TokenError, TokenExpired, TokenNotYetValid
from dcl_comms_station.clean import clean
from dcl_comms_station.doctor.findings import Good, Problem
from dcl_comms_station.exits import Exit
from dcl_comms_station.tokens import duration

if TYPE_CHECKING:
    from dcl_comms_core.adapters.token import AccessToken

__all__ = ["judge"]


def judge(token: AccessToken) -> Good:
    """What the token says, by this machine's clock."""
    now = time.time()
    try:
        token.check(unix_now=now, publish=False)
    except TokenExpired as error:
        raise Problem(
            Exit.REFUSED,
            _fact(error),
            "ask the realm for a new connection string; if it is new, set this machine's clock",
        ) from None
    except TokenNotYetValid as error:
        raise Problem(
            Exit.REFUSED, _fact(error), "set this machine's clock, or that of whoever made the token"
        ) from None
    except TokenError as error:
        raise Problem(Exit.REFUSED, str(error), "ask for a token that grants roomJoin") from None
    left = "" if token.expires_at is None else f", valid for {duration(token.expires_at - now)}"
    detail = f"for {clean(token.identity, limit=80)} in room {clean(token.room, limit=80)}{left}"
    return Good(detail, "" if token.grants.can_publish_data else "it does not grant canPublishData: we can only listen")


def _fact(error: TokenError) -> str:
    """Without the advice behind the colon: we have more to say."""
    return str(error).partition(":")[0]
