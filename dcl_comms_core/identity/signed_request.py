"""Signed requests from their other end: who asks, if the headers prove it (ADR-44).

Judged as ``@dcl/crypto-middleware`` judges them: the same statuses and first words.  A timestamp may lie a minute ahead
or behind.  Both forms of the payload are taken, the metadata as it was sent and the older one in lower case; only the
first says in which case it was written, so compare what decides something in any case.  Stricter: metadata is a JSON
object, and the timestamp plain decimal digits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from dcl_comms_core.errors import InvalidAuthChain
from dcl_comms_core.identity.auth_chain import AuthChain
from dcl_comms_core.tools.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.limits import Limits

__all__ = ["RequestRefused", "SignedRequest", "link_texts", "read_signed_request"]

_LINK: Final = "x-identity-auth-chain-"
_TIMESTAMP: Final = "x-identity-timestamp"
_METADATA: Final = "x-identity-metadata"
_DIGITS = re.compile(r"[0-9]{1,16}")
_VALID_MILLIS: Final = 60_000


class SignedRequest(NamedTuple):
    """Somebody asks, and has proved who it is."""

    address: str
    """The wallet's, in lower case."""
    metadata: Mapping[str, object]


class RequestRefused(NamedTuple):
    """The headers prove nothing."""

    status: int
    """400 or 401."""
    text: str


def read_signed_request(
    method: str, path: str, headers: Mapping[str, str], *, unix_now: float, verifier: Verifier, limits: Limits
) -> SignedRequest | RequestRefused:
    """Find out who sent a request.  Raises nothing, whatever was sent.

    ``path`` is as it came, without the query; the names of ``headers`` are in lower case.
    """
    stamp, metadata_text = headers.get(_TIMESTAMP, ""), headers.get(_METADATA, "")
    chain = _chain(headers, limits)
    if chain is None:
        return RequestRefused(400, "Invalid Auth Chain")
    if not _DIGITS.fullmatch(stamp):
        return RequestRefused(400, "Invalid chain timestamp")
    metadata = read_json(metadata_text or "{}", nesting=limits.nesting)
    if not isinstance(metadata, dict):
        return RequestRefused(400, "Invalid chain metadata")
    # Before any signature is looked at.
    untimely = _untimely(int(stamp) - unix_now * 1000.0)
    if untimely:
        return RequestRefused(401, untimely)
    payload = f"{method}:{path}:".lower() + f"{stamp}:{metadata_text}"
    if chain.payload != payload:
        payload = payload.lower()
    try:
        address = chain.validate(payload, unix_now=unix_now, verifier=verifier)
    except InvalidAuthChain as error:
        return RequestRefused(401, f"Invalid signature: {error.problem.value}")
    return SignedRequest(address, cast("dict[str, object]", metadata))


def _untimely(ahead: float) -> str:
    """What is wrong with a timestamp that is this many milliseconds ahead of our clock; "": nothing is."""
    if ahead < -_VALID_MILLIS:
        return "Expired signature: this server's clock is more than a minute ahead"
    if ahead > _VALID_MILLIS:
        return "Invalid signature: its timestamp is in the future: this server's clock is more than a minute behind"
    return ""


def link_texts(headers: Mapping[str, str]) -> list[str]:
    """The links of a chain, each in a header of its own; names of headers are in lower case."""
    texts: list[str] = []
    while (text := headers.get(f"{_LINK}{len(texts)}")) is not None:
        texts.append(text)
    return texts


def _chain(headers: Mapping[str, str], limits: Limits) -> AuthChain | None:
    """Read a chain of at least two links, each in a header of its own."""
    texts = link_texts(headers)
    try:
        chain = AuthChain.from_json(f"[{','.join(texts)}]", limits=limits)
    except InvalidAuthChain:
        return None
    return chain if 1 < len(chain.links) == len(texts) else None
