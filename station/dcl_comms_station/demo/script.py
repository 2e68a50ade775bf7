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


CAST: Final = (
    Role(name="Ada", loop="asyncio", whispers_to="Tro", centre=(4.0, 4.0)),
    Role(name="Tro", loop="trio", whispers_to="Ada", centre=(12.0, 4.0)),
    Role(name="Eve", loop="a plain while loop", whispers_to=None, centre=(8.0, 12.0)),
)
"""All of them.  Eve is there to prove that a whisper is one."""

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
