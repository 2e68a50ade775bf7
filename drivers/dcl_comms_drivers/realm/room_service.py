"""What a LiveKit server whose key we hold is asked for, and the tokens that it lets people in with."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from dcl_comms_drivers.realm.mint import mint_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    # What LiveKit's API answers: lists of objects by name.
    Answer = dict[str, list[dict[str, object]]]

__all__ = ["RoomService"]

_HOST: Final = "127.0.0.1"


class RoomService(ABC):
    """One server, at ``url``; ``key`` and ``secret`` sign its tokens.  Its verbs wait for the answer.

    ``with``: it is stopped at the end.

    They raise ServerUnavailable where it refuses, or is down.
    """

    def __init__(self) -> None:
        self.key = "API" + secrets.token_hex(6)
        self.secret = secrets.token_urlsafe(32)
        self.port = 0
        self.udp_port = 0

    @abstractmethod
    def ask(self, method: str, body: Mapping[str, object]) -> Answer:
        """Ask its API, LiveKit's RoomService, as its administrator; ``body`` becomes JSON."""

    @abstractmethod
    def stop(self) -> None:
        """End it.  May be repeated."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The server's address, ``ws://127.0.0.1:PORT``."""
        return f"ws://{_HOST}:{self.port}"

    # -- tokens

    def token(
        self,
        identity: str,
        room: str,
        *,
        ttl: float = 300.0,
        now: float | None = None,
        name: str = "",
        metadata: str = "",
        **grants: object,
    ) -> str:
        """Return an access token's text; see :func:`~dcl_comms_drivers.realm.mint.mint_token`."""
        return mint_token(
            self.key, self.secret, identity, room, ttl=ttl, now=now, name=name, metadata=metadata, **grants
        )

    def connection_string(
        self,
        identity: str,
        room: str,
        *,
        ttl: float = 300.0,
        now: float | None = None,
        name: str = "",
        metadata: str = "",
        **grants: object,
    ) -> str:
        """Return a ``livekit:`` connection string with a token of that identity for that room."""
        token = self.token(identity, room, ttl=ttl, now=now, name=name, metadata=metadata, **grants)
        return f"livekit:{self.url}?access_token={quote(token, safe='')}"

    # -- the rooms

    def list_rooms(self) -> list[str]:
        """Names of the rooms that exist."""
        return _names(self.ask("ListRooms", {}), "rooms", "name")

    def list_participants(self, room: str) -> list[str]:
        """Identities of those who are in a room."""
        return _names(self.ask("ListParticipants", {"room": room}), "participants", "identity")

    def remove_participant(self, room: str, identity: str) -> None:
        """Remove somebody from a room."""
        self.ask("RemoveParticipant", {"room": room, "identity": identity})

    def update_participant(self, room: str, identity: str, **changes: object) -> None:
        """Change ``permission`` (grants; what is left out is taken away), ``name``, ``metadata``, ``attributes``.

        As comms-gatekeeper does: LiveKit's UpdateParticipant.
        """
        self.ask("UpdateParticipant", {"room": room, "identity": identity, **changes})

    def update_room_metadata(self, room: str, metadata: str) -> None:
        """Say something of a room to all who are in it."""
        self.ask("UpdateRoomMetadata", {"room": room, "metadata": metadata})

    def delete_room(self, room: str) -> None:
        """Delete a room; everybody in it is disconnected."""
        self.ask("DeleteRoom", {"room": room})


def _names(answer: Answer, kind: str, field: str) -> list[str]:
    return [str(item[field]) for item in answer.get(kind, [])]
