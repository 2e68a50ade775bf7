"""The emotes that every avatar has, by name: those that come with the explorers, and are nobody's to own.

Others are named by URNs of their own, as ``urn:decentraland:matic:collections-v2:0x...:0``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.tools.arguments import require

__all__ = ["Emotes", "emote_urn"]

_BASE: Final = "urn:decentraland:off-chain:base-emotes:"


class Emotes(StrEnum):
    """The base emotes; the values are their URNs."""

    CLAP = _BASE + "clap"
    CRAFTING = _BASE + "crafting"
    CRY = _BASE + "cry"
    DAB = _BASE + "dab"
    DANCE = _BASE + "dance"
    DISCO = _BASE + "disco"
    DONT_SEE = _BASE + "dontsee"
    FIST_PUMP = _BASE + "fistpump"
    HAMMER = _BASE + "hammer"
    HANDS_AIR = _BASE + "handsair"
    HEAD_EXPLODE = _BASE + "headexplode"
    HOHOHO = _BASE + "hohoho"
    KISS = _BASE + "kiss"
    MONEY = _BASE + "money"
    RAISE_HAND = _BASE + "raiseHand"
    ROBOT = _BASE + "robot"
    SHRUG = _BASE + "shrug"
    SNOWBALL_HIT = _BASE + "snowballhit"
    SNOWBALL_THROW = _BASE + "snowballthrow"
    SNOWFALL = _BASE + "snowfall"
    TEKTONIK = _BASE + "tektonik"
    TIK = _BASE + "tik"
    WAVE = _BASE + "wave"


_BY_NAME: Final = {one.value.removeprefix(_BASE).lower(): one for one in Emotes}


def emote_urn(emote: str) -> str:
    """The URN of an emote: of one of Emotes, of its name in any letter case, or a URN as it is.

    LocalProtocolError: a name that is none of these.
    """
    require(emote, str, "an emote is one of Emotes, its name, or a URN")
    if ":" in emote:
        return str(emote)
    name = emote.lower().replace("_", "").replace("-", "").replace(" ", "")
    known = _BY_NAME.get(name)
    if known is not None:
        return known.value
    from difflib import get_close_matches  # noqa: PLC0415 - hardly anybody needs it

    alike = get_close_matches(name[:32], _BY_NAME, n=1)
    hint = f"did you mean {alike[0]!r}?" if alike else f"there are {', '.join(_BY_NAME)}"
    msg = f"no base emote has this name ({hint}): others are played by their URN, urn:..."
    raise LocalProtocolError(msg)
