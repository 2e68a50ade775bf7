"""Looking for a secret where no secret may be.

``assert_no_secret(token, repr(x), *exception_texts(exc))`` fails if any text holds the secret, a telling piece of it,
or (a JWT) its decoded payload.
"""

from __future__ import annotations

import base64
import contextlib
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

_JWT_PARTS = 3
_PIECE = 16
"""A run of this many characters of a secret is as good as the secret for finding out where it leaked from."""


def assert_no_secret(secret: str, *texts: object) -> None:
    """Fail if any of ``texts`` (str, bytes, or anything with a repr) holds ``secret`` or a piece of it.

    A JWT's header is the same in every token, and some claims are shown on purpose: looked for are pieces of payload
    and signature as they are written, and the decoded payload as a whole.  The failure gives the index of the text,
    and does not repeat the secret.
    """
    needles = _needles(secret)
    assert needles, "this secret is too short to look for"
    for index, text in enumerate(texts):
        shown = text.decode("latin-1") if isinstance(text, bytes) else text if isinstance(text, str) else repr(text)
        where = min((at for needle in needles if (at := shown.find(needle)) >= 0), default=-1)
        assert where < 0, f"text {index} of {len(texts)} holds a secret from character {where} on"


def _needles(secret: str) -> set[str]:
    parts = secret.split(".")
    is_jwt = len(parts) == _JWT_PARTS
    # Cut at every offset: whatever a text was quoted, escaped or shortened into, some piece is left whole.
    secrets = parts[1:] if is_jwt else [secret]
    needles = {part[at : at + _PIECE] for part in secrets for at in range(max(1, len(part) - _PIECE + 1))}
    needles |= {quote(needle, safe="") for needle in needles}
    if is_jwt:
        with contextlib.suppress(ValueError):  # broken on purpose: then nothing can show it decoded
            needles.add(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)).decode("latin-1"))
    return {needle for needle in needles if len(needle) >= min(8, len(secret))}


def exception_texts(exc: BaseException) -> list[str]:
    """Return everything that a log of ``exc`` may show.

    Its text, repr, arguments, notes and attributes, those of each exception behind it (cause, context whether shown or
    not, members of a group), and the whole traceback as Python prints it.
    """
    texts = ["".join(traceback.format_exception(exc))]
    for link in _chain(exc):
        texts += [str(link), repr(link), repr(link.args), *getattr(link, "__notes__", [])]
        # JSONDecodeError.doc and UnicodeDecodeError.object are why attributes are looked at: no text shows them.
        texts += [_shown(getattr(link, name, None)) for name in dir(link) if not name.startswith("__")]
    return texts


def _chain(exc: BaseException) -> Iterator[BaseException]:
    todo: list[BaseException | None] = [exc]
    seen: set[int] = set()
    while todo:
        link = todo.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        todo += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            todo += link.exceptions


def _shown(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes | bytearray) else str(value)
