"""Who plays, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CAST", "SINGER", "Role", "farewell", "greeting", "whisper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One of the three."""

    name: str
    loop: str
    """What it runs on."""
    whispers_to: str | None
    """Whom it tells something in private."""
    centre: tuple[float, float]
    """It walks in a circle around this point: metres east and north."""
    start: tuple[float, float] | None = None
    """Where it is first, and goes from there once it sees both others walk; None: on its circle."""


CAST: Final = (
    Role(name="Ada", loop="asyncio", whispers_to="Tro", centre=(84.0, 4.0)),
    Role(name="Tro", loop="trio", whispers_to="Ada", centre=(92.0, 4.0)),
    Role(name="Eve", loop="a plain while loop", whispers_to=None, centre=(188.0, 12.0), start=(206.0, 14.0)),
)
"""All of them.  Eve is there to prove that a whisper is one; and where Pulse forms the islands, in cells of 100 m that
touch, it begins on another one, near enough to see the others."""

SINGER: Final = "Ada"
"""Who plays the tone."""


def greeting(role: Role) -> str:
    """What it says to everybody once everybody is there."""
    return f"Hello everybody, this is {role.name} on {role.loop}."


def whisper(role: Role) -> str:
    """What it says in private, to ``role.whispers_to``."""
    return f"Psst, {role.whispers_to}, only you can read this. {role.name}"


def farewell(role: Role) -> str:
    """What it says to everybody last.  A reliable packet comes after all that its sender sent reliably before."""
    return f"That was all I came for, says {role.name}. Goodbye!"
