"""What actors of a script do by themselves, through the verbs of their sessions, and how they answer."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Final, TypeAlias, TypeGuard, get_args

from dcl_comms_core.errors import CommsError, LocalProtocolError
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.testing import script as do

if TYPE_CHECKING:
    from dcl_comms_core.events import Event
    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.world.session import WorldSession

__all__ = ["Answers", "at", "by_itself", "perform"]


class Answers:
    """A peer that answers, as often as it still may."""

    def __init__(self, action: do.On | do.OnChat) -> None:
        self._action = action
        self._left = inf if action.times is None else action.times
        self.then = action.then if isinstance(action.then, tuple) else (action.then,)

    def to(self, who: str, event: Event) -> bool:
        """Whether that is answered, and counts."""
        if who != self._action.who or self._left < 1 or not self._action.matches(event):
            return False
        self._left -= 1
        return True


def at(action: do.Action) -> float:
    """When an action is due.  LocalProtocolError: that is no time."""
    if not (isfinite(action.at) and action.at >= 0.0):
        msg = "a script's times are finite seconds from 0"
        raise LocalProtocolError(msg)
    return action.at


_Own: TypeAlias = do.Say | do.Move | do.Emote | do.React | do.Offer | do.Send | do.Raw | do.Leave
_OWN: Final = get_args(_Own)
"""What a peer does by itself."""


def by_itself(action: do.Action) -> TypeGuard[_Own]:
    """Whether it is something that an actor does by itself."""
    return isinstance(action, _OWN)


def perform(session: RoomSession | WorldSession, action: _Own, now: float) -> bool:
    """What a peer does by itself.  False: it is not in the room, or may not."""
    try:
        match action:
            case do.Say():
                session.chat(action.text, to=_to(action.to), now=now)
            case do.Move():
                session.move(action.position, now=now)
            case do.Emote():
                session.emote(action.urn, stop=action.stop, now=now)
            case do.React():
                session.react(action.emoji, count=action.count, now=now)
            case do.Offer(profile=""):
                session.announce_profile(action.version, now=now)
            case do.Offer():
                session.offer_profile(action.version, action.profile, now=now)
            case do.Send():
                session.send(action.packet, now=now)
            case do.Raw():
                session.send_bytes(
                    action.data, to=_to(action.to), reliable=action.reliable, topic=action.topic, now=now
                )
            case _:
                session.close(drain=0.0, now=now)
    except CommsError:
        return False
    return True


def _to(names: tuple[str, ...] | None) -> Addressees:
    return EVERYONE if names is None else [PeerId(name) for name in names]
