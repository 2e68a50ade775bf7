"""LiveKit's own API for rooms and participants, as far as it is about them: requests of JSON, answers of JSON.

Fields may be written as in the protocol (``destination_identities``) or as in JavaScript.
"""

from __future__ import annotations

import re
from base64 import b64decode
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.proto import livekit
from dcl_comms_core.servers.livekit.packets import send
from dcl_comms_core.servers.livekit.pages import failed, page
from dcl_comms_core.servers.livekit.signals import change_metadata
from dcl_comms_core.servers.livekit.tokens import whole
from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.servers.livekit.house import House
    from dcl_comms_core.servers.livekit.pages import RoomPage
    from dcl_comms_core.servers.livekit.participants import Participant
    from dcl_comms_core.servers.livekit.rooms import Room
    from dcl_comms_core.servers.livekit.tokens import Grant

__all__ = ["PREFIX", "serve"]

PREFIX: Final = "/twirp/livekit.RoomService/"
_NESTING: Final = 8
_HUMPS: Final = re.compile(r"(?<!^)([A-Z])")
_Fields = dict[str, object]


class _Problem(Exception):
    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.page = failed(status, code, text)


def serve(house: House, method: str, grant: Grant | None, body: bytes) -> RoomPage:
    """Answer a request; ``grant``: what its token grants, None: it has none that does."""
    known = _METHODS.get(method)
    if known is None:
        return failed(404, "bad_route", "no such method")
    request = json_object(body, len(body), _NESTING)
    if request is None:
        return failed(400, "malformed", "the body is no JSON object")
    may, step = known
    fields = {_HUMPS.sub(r"_\1", name).lower(): value for name, value in request.items()}
    name = _text(fields, "room") or _text(fields, "name")
    if grant is None or not _may(grant, may, name):
        return failed(401, "unauthenticated", "permissions denied")
    try:
        return page(step(house, fields))
    except _Problem as problem:
        return problem.page


def _may(grant: Grant, what: str, room: str) -> bool:
    if what == "lists":
        return grant.lists
    if what == "creates":
        return grant.creates
    return grant.administers and grant.room == room


# --- what is asked for


def _text(fields: _Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _texts(fields: _Fields, name: str) -> list[str]:
    value = fields.get(name)
    return [one for one in cast("list[object]", value) if isinstance(one, str)] if isinstance(value, list) else []


def _inner(fields: _Fields, name: str) -> _Fields | None:
    value = fields.get(name)
    if not isinstance(value, dict):
        return None
    return cast("_Fields", value)


def _room(house: House, fields: _Fields) -> Room:
    room = house.rooms.get(_text(fields, "room"))
    if room is None:
        raise _Problem(404, "not_found", "requested room does not exist")
    return room


def _participant(house: House, fields: _Fields) -> Participant:
    room = house.rooms.get(_text(fields, "room"))
    participant = None if room is None else room.members.get(_text(fields, "identity"))
    if participant is None:
        raise _Problem(404, "not_found", "participant does not exist")
    return participant


def _shown_room(room: Room) -> _Fields:
    info = room.info()
    return {
        "sid": info.sid, "name": info.name, "empty_timeout": info.empty_timeout,
        "departure_timeout": info.departure_timeout, "max_participants": info.max_participants,
        "creation_time": str(info.creation_time), "metadata": info.metadata, "num_participants": info.num_participants,
    }  # fmt: skip


def _shown(participant: Participant) -> _Fields:
    info, may = participant.info(), participant.permission
    return {
        "sid": info.sid, "identity": info.identity, "state": info.state.name, "metadata": info.metadata,
        "joined_at": str(info.joined_at), "name": info.name, "version": info.version, "attributes": info.attributes,
        "permission": {
            "can_subscribe": may.can_subscribe, "can_publish": may.can_publish,
            "can_publish_data": may.can_publish_data, "hidden": may.hidden,
            "can_update_metadata": may.can_update_metadata,
        },
    }  # fmt: skip


# --- methods


def _list_rooms(house: House, fields: _Fields) -> _Fields:
    names = _texts(fields, "names")
    return {"rooms": [_shown_room(room) for room in house.rooms.values() if not names or room.name in names]}


def _create_room(house: House, fields: _Fields) -> _Fields:
    name = _text(fields, "name")
    if not name or len(name.encode()) > house.settings.identity_bytes:
        raise _Problem(400, "invalid_argument", "a room has a name")
    room = house.make_room(
        name,
        most=whole(fields.get("max_participants")),
        empty=whole(fields.get("empty_timeout")),
        departure=whole(fields.get("departure_timeout")),
    )
    if room is None:
        raise _Problem(503, "unavailable", "there are too many rooms")
    room.metadata = _text(fields, "metadata") or room.metadata
    return _shown_room(room)


def _delete_room(house: House, fields: _Fields) -> _Fields:
    house.delete_room(_room(house, fields))
    return {}


def _update_room(house: House, fields: _Fields) -> _Fields:
    room = _room(house, fields)
    metadata = _text(fields, "metadata")
    if len(metadata.encode()) > house.settings.metadata_bytes:
        raise _Problem(400, "invalid_argument", "exceeds metadata size limit")
    room.metadata = metadata
    house.change_room(room)
    return _shown_room(room)


def _list_participants(house: House, fields: _Fields) -> _Fields:
    # Nobody is in a room that there is not: as livekit-server has it.
    room = house.rooms.get(_text(fields, "room"))
    return {"participants": [] if room is None else [_shown(one) for one in room.members.values()]}


def _get_participant(house: House, fields: _Fields) -> _Fields:
    return _shown(_participant(house, fields))


def _remove_participant(house: House, fields: _Fields) -> _Fields:
    house.end(_participant(house, fields), livekit.DisconnectReason.PARTICIPANT_REMOVED)
    return {}


def _mute(house: House, fields: _Fields) -> _Fields:
    _participant(house, fields)
    raise _Problem(404, "not_found", "track does not exist")


def _update_participant(house: House, fields: _Fields) -> _Fields:
    participant = _participant(house, fields)
    attributes = _inner(fields, "attributes") or {}
    problem = change_metadata(
        participant,
        house.settings,
        name=_text(fields, "name"),
        metadata=_text(fields, "metadata"),
        attributes={key: value for key, value in attributes.items() if isinstance(value, str)},
    )
    if problem:
        raise _Problem(400, "invalid_argument", problem)
    permission = _inner(fields, "permission")
    if permission is not None:
        may = {_HUMPS.sub(r"_\1", name).lower(): value is True for name, value in permission.items()}
        grant = participant.grant
        grant.can_subscribe = may.get("can_subscribe", False)
        grant.can_publish_data = may.get("can_publish_data", False)
        grant.can_update_metadata = may.get("can_update_metadata", False)
    house.change(participant)
    house.refresh(participant)
    return _shown(participant)


def _send_data(house: House, fields: _Fields) -> _Fields:
    room = _room(house, fields)
    try:
        payload, nonce = (b64decode(_text(fields, name), validate=True) for name in ("data", "nonce"))
    except ValueError:
        raise _Problem(400, "malformed", "data and nonce are base64") from None
    packet = livekit.DataPacket(
        user=livekit.UserPacket(
            payload=payload,
            topic=_text(fields, "topic") or None,
            destination_sids=_texts(fields, "destination_sids"),
            nonce=nonce,
        ),
        destination_identities=_texts(fields, "destination_identities"),
    )
    house.spread(send(room, packet, reliable=fields.get("kind") not in {"LOSSY", 1}))
    return {}


_METHODS: Final[Mapping[str, tuple[str, Callable[[House, _Fields], _Fields]]]] = MappingProxyType(
    {
        "ListRooms": ("lists", _list_rooms),
        "CreateRoom": ("creates", _create_room),
        "DeleteRoom": ("creates", _delete_room),
        "UpdateRoomMetadata": ("administers", _update_room),
        "ListParticipants": ("administers", _list_participants),
        "GetParticipant": ("administers", _get_participant),
        "RemoveParticipant": ("administers", _remove_participant),
        "MutePublishedTrack": ("administers", _mute),
        "UpdateParticipant": ("administers", _update_participant),
        "SendData": ("administers", _send_data),
    }
)
