"""Avatar: how we look and are called, as the JSON that explorers take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from dcl_comms_core.avatars.emotes import emote_urn
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.tools.arguments import are_finite, require, require_whole

__all__ = ["Avatar"]

_BASE: Final = "urn:decentraland:off-chain:base-avatars:"
_BODIES: Final = {"male": _BASE + "BaseMale", "female": _BASE + "BaseFemale"}
_CLOTHES: Final = {
    _BODIES["male"]: (
        "eyes_00", "eyebrows_00", "mouth_00", "casual_hair_01", "green_hoodie", "brown_pants", "sneakers",
    ),
    _BODIES["female"]: (
        "f_eyes_00", "f_eyebrows_00", "f_mouth_00", "standard_hair", "f_sweater", "f_jeans", "bun_shoes",
    ),
}  # fmt: skip
_NAME_CHARS: Final = 64
_TEXT_CHARS: Final = 1_024
_MOST: Final = 64
_LARGEST_VERSION: Final = 0xFFFFFFFF
_CHANNELS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Avatar:
    """How we look and are called.  LocalProtocolError: explorers would not take that.

    Nothing is deployed: others get it from us, and those who ask their realm only (Unity) see the wallet's own.
    """

    name: str
    """Up to 64 characters.  Explorers add a part of the address to names that are not claimed."""
    body: str = "male"
    """``male``, ``female``, or a URN."""
    wearables: tuple[str, ...] = ()
    """URNs, or names of base wearables ("green_hoodie"); none: something to wear for this body."""
    emotes: tuple[str, ...] = ()
    """For the emote wheel, ten at most: base emotes' names, or URNs."""
    skin: tuple[float, float, float] = (0.8, 0.6, 0.46)
    """Red, green and blue, from 0 to 1."""
    hair: tuple[float, float, float] = (0.28, 0.14, 0.0)
    eyes: tuple[float, float, float] = (0.37, 0.22, 0.2)
    description: str = ""
    face: str = ""
    """A URL of a picture, or nothing."""
    version: int = 1
    """Count it up when anything changes: others ask again then."""

    def __post_init__(self) -> None:
        """Refuse what is no avatar."""
        for text, most, what in (
            (self.name, _NAME_CHARS, "an avatar's name"),
            (self.body, _TEXT_CHARS, "an avatar's body"),
            (self.description, _TEXT_CHARS, "an avatar's description"),
            (self.face, _TEXT_CHARS, "an avatar's face"),
        ):
            require(text, str, f"{what} is a text")
            if len(text) > most:
                msg = f"{what} has {most} characters at most, not {len(text)}"
                raise LocalProtocolError(msg)
        if not self.name.strip() or not self.name.isprintable():
            msg = "an avatar's name has at least one character, and none that can't be seen"
            raise LocalProtocolError(msg)
        if self.body not in _BODIES and ":" not in self.body:
            msg = f"an avatar's body is one of {', '.join(_BODIES)}, or a URN"
            raise LocalProtocolError(msg)
        for texts, what in ((self.wearables, "wearables"), (self.emotes, "emotes")):
            require(texts, tuple | list, f"an avatar's {what} are texts in a tuple")
            if len(texts) > _MOST or not all(isinstance(one, str) and one and len(one) <= _TEXT_CHARS for one in texts):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped
                msg = f"an avatar's {what} are URNs or names, {_MOST} at most"
                raise LocalProtocolError(msg)
        for one in self.emotes:
            emote_urn(one)
        for colour in (self.skin, self.hair, self.eyes):
            if not are_finite(colour, _CHANNELS) or not all(0.0 <= part <= 1.0 for part in colour):
                msg = "a colour is red, green and blue, each from 0 to 1"
                raise LocalProtocolError(msg)
        require_whole(self.version, 1, _LARGEST_VERSION, "an avatar's version")

    def document(self, address: str) -> dict[str, object]:
        """The avatar of this wallet, as a realm's lambdas give it."""
        body = _BODIES.get(self.body, self.body)
        worn = self.wearables or _CLOTHES.get(body, ())
        return {
            "userId": address.lower(),
            "ethAddress": address.lower(),
            "name": self.name,
            "unclaimedName": self.name,
            "hasClaimedName": False,
            "hasConnectedWeb3": True,
            "description": self.description,
            "tutorialStep": 256,
            "version": self.version,
            "email": "",
            "blocked": [],
            "muted": [],
            "interests": [],
            "avatar": {
                "bodyShape": body,
                "eyes": _colour(self.eyes),
                "hair": _colour(self.hair),
                "skin": _colour(self.skin),
                "wearables": [one if ":" in one else _BASE + one for one in worn],
                "forceRender": [],
                "emotes": [{"slot": slot, "urn": emote_urn(one)} for slot, one in enumerate(self.emotes)],
                "snapshots": {"face256": self.face, "body": ""},
            },
        }

    def serialized(self, address: str) -> str:
        """The same as JSON text: what a peer is told."""
        return json.dumps(self.document(address), separators=(",", ":"), ensure_ascii=False)


def _colour(parts: tuple[float, float, float]) -> dict[str, object]:
    red, green, blue = parts
    return {"color": {"r": red, "g": green, "b": blue, "a": 1.0}}
