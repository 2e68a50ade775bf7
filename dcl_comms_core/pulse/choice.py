"""Whether Pulse is asked, where, and as what: what a user wants, and what a realm says.

==============  =====================================================================================================
``pulse=``      Pulse is asked
==============  =====================================================================================================
``None``        never
``"auto"``      where the realm's document says; else, of a realm of the Foundation, at its environment's host
``host:port``   there
ScenesOnly      as with ``"auto"``, or ``at`` its address: to watch, and not to be seen
==============  =====================================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from dcl_comms_core.adapters.pulse import PulseAddress, foundation_pulse
from dcl_comms_core.errors import InvalidConnectionString, LocalProtocolError
from dcl_comms_core.pulse.areas import ScenesOnly
from dcl_comms_core.tools.arguments import require

if TYPE_CHECKING:
    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.adapters.url_guard import Place

__all__ = ["AUTO", "Chosen", "PulseSetting", "check_pulse", "choose"]

AUTO: Final = "auto"

PulseSetting: TypeAlias = ScenesOnly | str | None
"""What may be wanted: see the table above."""


class Chosen(NamedTuple):
    """Where Pulse is to be asked."""

    address: PulseAddress
    within: Place | None
    """Where the realm is that named it; None: the user did, or it is the Foundation's."""
    scenes: ScenesOnly | None
    """What is to be watched; None: we are to be there."""


def check_pulse(setting: PulseSetting) -> None:
    """LocalProtocolError: this can't be wanted."""
    if isinstance(setting, str):
        if setting != AUTO:
            _address(setting)
    else:
        require(setting, ScenesOnly | None, _TAKES)


def choose(setting: PulseSetting, *, url: str | None, realm: Realm, place: Place | None) -> Chosen | None:
    """Say where Pulse is to be asked; None: nowhere.

    ``url``: the realm's, None if it has none; ``realm``: what it says of itself; ``place``: where it was reached.
    TargetRefused: the realm leads to where it must not.
    """
    if setting is None:
        return None
    scenes, text = (setting, setting.at) if isinstance(setting, ScenesOnly) else (None, setting)
    if text is not None and text != AUTO:
        return Chosen(_address(text), None, scenes)
    if realm.pulse is not None:
        realm.pulse.check(within=place)
        return Chosen(realm.pulse, place, scenes)
    address = None if url is None else foundation_pulse(url)
    return None if address is None else Chosen(address, None, scenes)


_TAKES: Final = 'pulse= takes "auto", None, "host:port" or ScenesOnly(...)'


def _address(text: str) -> PulseAddress:
    try:
        return PulseAddress.parse(text)
    except InvalidConnectionString as error:
        problem = str(error)
    # Outside of the handler, so that no exception holding a part of the text is this one's context.
    msg = f"{_TAKES}: {problem}"
    raise LocalProtocolError(msg)
