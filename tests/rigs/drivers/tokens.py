"""LiveKit access tokens for tests where a real clock judges them: those of ``rigs.core.tokens``, made now."""

from __future__ import annotations

import time

from rigs.core import tokens


def make_token(**options: object) -> str:
    """Make a token that is good from now on, for five minutes unless ``ttl`` says otherwise."""
    return tokens.make_token(**{"now": time.time(), **options})  # type: ignore[arg-type]  # the callee's keywords
