"""What to do by an object's class."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ByType"]

V = TypeVar("V")


class ByType(dict[type, V | None]):
    """Looked up with ``table[type(thing)]``: what stands there for its class, else for the nearest base; None: nothing.

    That is one lookup in a dict, however many classes stand there: ``isinstance`` of one after the other costs more
    than what is done with a packet.
    """

    __slots__ = ("_named",)

    def __init__(self, named: Mapping[type, V]) -> None:
        super().__init__(named)
        self._named = dict(named)

    def __missing__(self, kind: type) -> V | None:
        found = self[kind] = next((self._named[base] for base in kind.__mro__ if base in self._named), None)
        return found
