"""Access tokens inside of other texts: one reading of what looks like one, for who writes texts down or shows them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["TOKEN_BYTES", "TOKEN_TEXT", "has_token", "without_tokens"]

_CHARACTER: Final = "[A-Za-z0-9_-]"
_OBJECT: Final = "e(?:y[A-L]|w[0-9ko])"
"""How the base64url of a JSON object begins: a brace, then a quotation mark or a space of any kind."""
_REST: Final = rf"\.(?:{_CHARACTER}{{2,}}+\.|{_OBJECT}{_CHARACTER}{{2,}}+)"
"""After the header: a payload and a dot, or a payload that is an object, where the text was cut."""
# A header may follow other characters of its kind, as in "access_token%3DeyJ".  Each run of such characters is looked
# at once, and only where the rest follows it: the time is that of reading the text, whatever is in it.
_TOKEN: Final = (
    rf"(?<!{_CHARACTER})(?={_CHARACTER}++{_REST})(?:|{_CHARACTER}*?(?=ey[A-L])|{_CHARACTER}*?-)"
    rf"({_OBJECT}{_CHARACTER}{{3,}}+{_REST})({_CHARACTER}*+)"
)
TOKEN_TEXT: Final = re.compile(_TOKEN)
"""A JWT in a text.  Groups: header, payload and their dots; the signature, which may be empty."""
TOKEN_BYTES: Final = re.compile(_TOKEN.encode())
"""The same in bytes."""
_PARAMETER: Final = re.compile(r"(access_token=)[^&\s\"']+", re.IGNORECASE)


def has_token(text: str) -> bool:
    """Whether there is a token in a text, or anything as the parameter that carries one."""
    return _PARAMETER.search(text) is not None or TOKEN_TEXT.search(text) is not None


def without_tokens(text: str) -> str:
    """A text with ``***`` for each token."""
    return TOKEN_TEXT.sub(_hidden, _PARAMETER.sub(r"\1***", text))


def _hidden(match: re.Match[str]) -> str:
    """What stands before the token, which may be of its own kind of characters, and a placeholder."""
    return match[0][: match.start(1) - match.start()] + "***"
