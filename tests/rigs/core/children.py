"""Rooms that are open, and a table of them."""

from __future__ import annotations

from typing import Any

from rigs.core.room import people

from dcl_comms_core import LinkOpened, RoomRole, RoomSession, SimulatorAdapter
from dcl_comms_core.merged.children import Child, Children


def opened(link: int, role: RoomRole = RoomRole.ISLAND, **options: Any) -> Child:
    """A room in which alice is, and of which everything was taken."""
    session = RoomSession(SimulatorAdapter(f"r{link}"), link=link, announce=False, **options)
    session.open(now=0.0)
    (opening,) = session.commands()
    session.receive(LinkOpened(link=opening.link, identity="me", room="r", participants=people("alice")), now=0.0)
    session.events()
    return Child(session, role)


def table(*children: Child) -> Children:
    """Of these, and nobody has news."""
    made = Children()
    for child in children:
        made.add(child)
        made.taken(child, changed=True)
    assert (made.with_news(), made.news, made.seen) == ([], set(), set())
    return made
