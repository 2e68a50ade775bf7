"""Who somebody is, as a realm or they themselves say: read from JSON that anybody may have written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId

__all__ = ["Person", "SaidBy", "read_person"]

_NAME_CHARS: Final = 256
_WEARABLES: Final = 256
_LARGEST_VERSION: Final = 0xFFFFFFFF
_WEB: Final = ("https://", "http://")


class SaidBy(Enum):
    """Who said so."""

    REALM = "the realm's lambdas"
    PEER = "the peer itself"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who somebody is.  All texts are free text, and of whatever the person likes."""

    id: PeerId
    name: str = ""
    """Empty: not known.  Names that are not ``claimed`` are not unique."""
    claimed: bool = False
    """Whether the name is an NFT that the person owns.  Only a realm can say so: of a peer's own word it is False."""
    body: str = ""
    """The URN of the body shape."""
    wearables: tuple[str, ...] = ()
    """URNs."""
    face: str = ""
    """A URL of a picture, as the realm says; of a peer's own word it is empty.  This library never fetches it."""
    version: int = 0
    raw: str = field(default="", repr=False)
    """The whole avatar as JSON, an object; empty: not known."""
    said_by: SaidBy = SaidBy.NOBODY
    at: float
    """When it was found out, monotonic seconds."""

    @property
    def known(self) -> bool:
        """Whether anybody said who that is."""
        return self.said_by is not SaidBy.NOBODY


def read_person(
    document: object, who: PeerId, source: SaidBy, *, raw: str = "", at: float, limits: Limits
) -> Person | None:
    """A person from an avatar's JSON object, whatever address it names inside.  None: that is none, or too large."""
    if not isinstance(document, dict):
        return None
    avatar = cast("dict[str, object]", document)
    # Half a character can be read, and not be written.
    raw = raw or json.dumps(avatar, separators=(",", ":"))
    if len(raw) > limits.person_bytes:
        return None
    looks = avatar.get("avatar")
    look = cast("dict[str, object]", looks) if isinstance(looks, dict) else {}
    worn = look.get("wearables")
    pictures = look.get("snapshots")
    shots = cast("dict[str, object]", pictures) if isinstance(pictures, dict) else {}
    face = _text(shots.get("face256")) or _text(shots.get("face"))
    version = avatar.get("version")
    trusted = source is SaidBy.REALM
    return Person(
        id=who,
        name=_text(avatar.get("name"))[:_NAME_CHARS],
        claimed=trusted and avatar.get("hasClaimedName") is True,
        body=_text(look.get("bodyShape"))[:_NAME_CHARS],
        wearables=tuple(text[:_NAME_CHARS] for one in cast("list[object]", worn)[:_WEARABLES] if (text := _text(one)))
        if isinstance(worn, list)
        else (),
        face=face if trusted and face.startswith(_WEB) else "",
        version=version if type(version) is int and 0 <= version <= _LARGEST_VERSION else 0,
        raw=raw,
        said_by=source,
        at=at,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
