"""The aliases of a ws-room: the numbers by which its frames name senders."""

from __future__ import annotations

from dcl_comms_core.inputs import Participant

__all__ = ["Aliases"]


class Aliases:
    """At most ``limit`` aliases.  One wallet may have two, while its older session is ending."""

    __slots__ = ("_addresses", "_limit", "_newest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._addresses: dict[int, str] = {}
        self._newest: dict[str, int] = {}
        """Address in lower case -> its newest alias."""

    def clear(self) -> None:
        """Forget all."""
        self._addresses.clear()
        self._newest.clear()

    def address(self, alias: int) -> str | None:
        """The address behind an alias, as the server wrote it; None: unknown."""
        return self._addresses.get(alias)

    def put(self, alias: int, address: str) -> Participant | None:
        """Add an alias.  None: the table is full."""
        if len(self._addresses) >= self._limit:
            return None
        self._addresses[alias] = address
        self._newest[address.lower()] = alias
        return _participant(alias, address)

    def pop(self, alias: int) -> tuple[str, bool] | None:
        """Remove an alias.  Returns its address, and whether that wallet has no other; None: unknown."""
        address = self._addresses.pop(alias, None)
        if address is None:
            return None
        # The newer one may have left before, and it was told that nobody is there.
        last = self._newest.get(address.lower()) == alias
        if last:
            del self._newest[address.lower()]
        return address, last

    def participants(self) -> tuple[Participant, ...]:
        """Each wallet once, by its newest alias."""
        return tuple(_participant(alias, self._addresses[alias]) for alias in self._newest.values())


def _participant(alias: int, address: str) -> Participant:
    return Participant(identity=address, sid=str(alias))
