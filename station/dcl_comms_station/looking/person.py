"""Who an address is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_station.clean import clean
from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.looking.visit import visited
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.avatars.person import Person
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor

__all__ = ["describe_person", "find_person", "plain_person"]

_NAME: Final = 256


async def find_person(
    loop: Loop, target: str, address: str, *, patience: float = 20.0, visitor: Visitor = NOBODY
) -> Person:
    """Who that is, as the realm says, or a peer of that address does.  Failed(REFUSED): nobody says.

    It takes ten seconds at most, once we are in.  ``patience``: seconds until the (first) room must be open.
    """
    async with visited(loop, target, patience=patience, visitor=visitor) as room:
        person = await room.whois(address)
    if not person.known:
        raise Failed(Exit.REFUSED, f"nobody says who {address} is: no realm has a profile of it, and no peer here does")
    return person


def plain_person(person: Person) -> dict[str, object]:
    """As JSON has it."""
    return {
        "address": person.id.text,
        "name": person.name,
        "claimed": person.claimed,
        "version": person.version,
        "said_by": person.said_by.name.lower(),
    }


def describe_person(person: Person) -> Iterator[str]:
    """The same, a line at a time, for people."""
    yield f"address  {person.id.text}"
    yield f"name     {clean(person.name, limit=_NAME) or '(none)'}"
    yield f"claimed  {'yes' if person.claimed else 'no'}"
    yield f"version  {person.version}"
    yield f"said by  {person.said_by.value}"
