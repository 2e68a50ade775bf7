"""Who is behind the numbers by which a ws-room names senders."""

from __future__ import annotations

from dcl_comms_core.inputs import Participant

__all__ = ["Aliases"]


class Aliases:
    """A table of at most ``limit`` numbers.  One wallet may have two, while its older session is ending."""

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
        """Whose it is, as it was written; None: it is not known."""
        return self._addresses.get(alias)

    def put(self, alias: int, address: str) -> Participant | None:
        """Remember one.  None: the table is full."""
        if len(self._addresses) >= self._limit:
            return None
        self._addresses[alias] = address
        self._newest[address.lower()] = alias
        return _participant(alias, address)

    def pop(self, alias: int) -> tuple[str, bool] | None:
        """Forget one.  Returns whose it was, and whether that one is gone now; None: it was not known."""
        address = self._addresses.pop(alias, None)
        if address is None:
            return None
        # The newer one may have left before, and it was told that nobody is there.
        last = self._newest.get(address.lower()) == alias
        if last:
            del self._newest[address.lower()]
        return address, last

    def participants(self) -> tuple[Participant, ...]:
        """Everybody, once."""
        return tuple(_participant(alias, self._addresses[alias]) for alias in self._newest.values())


def _participant(alias: int, address: str) -> Participant:
    return Participant(identity=address, sid=str(alias))
