"""What a journal holds, as JSON values: inputs, arguments, commands and events, without their secrets.

JSON's own kinds stand for themselves.  A tuple, a list and a set are a list; everything else is an object whose key
begins with ``$``.  Bytes are base64.  What can't be written (an application's own object) is ``$opaque``, and a call
that was given one is not repeated.

Secrets are replaced, by placeholders of the same length: signatures of tokens wherever one stands, and those of auth
chains, also where they come back inside of other texts and bytes.  Doing it again changes nothing.
Of a datagram of ours only the length is written, because a secret may be in two of them.
"""

# JSON from a file has no types.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from math import inf, isfinite, nan
from typing import Any, Final, NoReturn, cast

from dcl_comms_core import commands, inputs
from dcl_comms_core.adapters.connection_string import (
    Adapter,
    ArchipelagoAdapter,
    LiveKitAdapter,
    SignedLoginAdapter,
    WsRoomAdapter,
    parse_connection_string,
)
from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.codec import decode_message
from dcl_comms_core.company.ignoring import Ignore
from dcl_comms_core.errors import EncodeError, LocalProtocolError
from dcl_comms_core.identity.auth_chain import AuthChain, AuthLink, AuthLinkType
from dcl_comms_core.identity.guard import ChallengeGuard
from dcl_comms_core.limits import Limits
from dcl_comms_core.merged.session import RoomRole
from dcl_comms_core.packets.movement import MovementCodec
from dcl_comms_core.peers import EVERYONE, Arrival, Peer, PeerId
from dcl_comms_core.proto import WireMessage
from dcl_comms_core.proto._gen.tables import TABLES
from dcl_comms_core.pulse.areas import ScenesOnly
from dcl_comms_core.room.options import Delivery, Subscribe
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.tools.secrets import TOKEN_BYTES, TOKEN_TEXT
from dcl_comms_core.tools.urls import BLANK, url_without_secrets
from dcl_comms_core.tools.vectors import Vector3
from dcl_comms_core.weather.away import Away

__all__ = ["Opaque", "Placeholders", "read_value"]

_LARGEST: Final = 1 << 64
_SHORTEST_SECRET: Final = 16
"""Characters.  A shorter one would be found in harmless text; it is replaced in its own place all the same."""

_PASSWORD: Final = r"""("secret":\s*")((?:[^"\\\n]|\\.)*)(?=")"""  # noqa: S105 - the pattern of one
_PASSWORD_TEXT: Final = re.compile(_PASSWORD)
_PASSWORD_BYTES: Final = re.compile(_PASSWORD.encode())
"""A world's password, where a request says it."""

_MADE_OF: Final[Mapping[type, tuple[str, ...]]] = {
    PeerId: ("text",),
    ChallengeGuard: ("hosts", "limits"),
    MovementCodec: ("bounds", "layout"),
}
"""Classes that are no dataclasses, and the arguments that make another that is the same."""


def _scenes_only(realm: str | None, rectangles: Any, also: Any, at: str | None) -> ScenesOnly:
    return ScenesOnly(*rectangles, realm=realm, also=also, at=at)


_CLASSES: Final[dict[str, Any]] = {
    cls.__name__: cls
    for cls in (
        *(getattr(module, name) for module in (inputs, commands) for name in module.__all__),
        *(Limits, Backoff, Ignore, Peer, Vector3),
        *_MADE_OF,
    )
    if isinstance(cls, type) and not issubclass(cls, Enum)
} | {"ScenesOnly": _scenes_only}
_ENUMS: Final[dict[str, type[Enum]]] = {
    cls.__name__: cls
    for cls in (
        Arrival,
        CloseReason,
        Away,
        Delivery,
        Place,
        RoomRole,
        Subscribe,
        type(EVERYONE),
        inputs.ConnectionQuality,
        inputs.TrackKind,
        inputs.TrackSource,
    )
}
_WITH_URL: Final = (commands.OpenSocket, commands.Fetch, inputs.Fetched)
"""What has a URL beside those in adapters."""
_MESSAGES: Final[dict[str, Any]] = {table.full_name: table.cls for table in TABLES}
_MESSAGE_NAMES: Final = {cls: name for name, cls in _MESSAGES.items()}
_FLOATS: Final = {"nan": nan, "inf": inf, "-inf": -inf}


class Opaque:
    """Stands for something that could not be written down."""


class Placeholders:
    """Writes values, with placeholders where their secrets were.  Remembers each secret that it was shown."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def __reduce__(self) -> NoReturn:
        msg = "Placeholders are not pickled, because that would write out the secrets that they stand for"
        raise LocalProtocolError(msg)

    def learn(self, secret: str, placeholder: str) -> None:
        """Replace this text from now on, wherever it stands."""
        if len(secret) >= _SHORTEST_SECRET:
            self._secrets[secret] = placeholder

    def text(self, text: str) -> str:
        """A text without secrets, as long as it was."""
        for secret, placeholder in self._secrets.items():
            text = text.replace(secret, placeholder)
        text = _PASSWORD_TEXT.sub(lambda match: match[1] + BLANK * len(match[2]), text)
        return TOKEN_TEXT.sub(lambda match: match[0][: match.start(2) - match.start()] + "A" * len(match[2]), text)

    def password(self, secret: str) -> str:
        """What stands for a world's password: as long as it is where a request says it."""
        placeholder = BLANK * (len(json.dumps(secret)) - 2)
        self.learn(secret, placeholder)
        return placeholder

    def data(self, data: bytes) -> bytes:
        """The same of bytes."""
        for secret, placeholder in self._secrets.items():
            data = data.replace(secret.encode(errors="surrogatepass"), placeholder.encode())
        data = _PASSWORD_BYTES.sub(lambda match: match[1] + BLANK.encode() * len(match[2]), data)
        return TOKEN_BYTES.sub(lambda match: match[0][: match.start(2) - match.start()] + b"A" * len(match[2]), data)

    def write(self, value: object) -> object:  # noqa: C901, PLR0911, PLR0912 - one flat table of kinds
        """A value that ``json.dumps`` takes, for anything."""
        match value:
            case None | bool():
                return value
            case Enum():
                return {"$enum": type(value).__name__, "name": value.name}
            case str():
                return self.text(value)
            case int():
                return int(value) if abs(value) < _LARGEST else _opaque(value)
            case float():
                return value if isfinite(value) else {"$float": repr(value)}
            case bytes() | bytearray() | memoryview():
                return {"$bytes": b64encode(self.data(bytes(value))).decode()}
            case _ if type(value) in _MADE_OF:
                return self._named(value, _MADE_OF[type(value)])
            case Adapter():
                return {"$adapter": self._adapter(value)}
            case AccessToken():
                return {"$token": self._token(value)}
            case AuthChain():
                return {"$chain": self._chain(value)}
            case WireMessage():
                try:
                    data = bytes(value)
                except EncodeError:
                    return _opaque(value)
                return {"$message": _MESSAGE_NAMES[type(value)], "data": b64encode(self.data(data)).decode()}
            case _ if is_dataclass(value) and not isinstance(value, type):
                names = [field.name for field in fields(value) if not field.name.startswith("_")]
                return self._named(value, names)
            case tuple() if hasattr(value, "_fields"):
                return self._named(cast("object", value), cast("Any", value)._fields)
            case Mapping():
                pairs = cast("Mapping[object, object]", value).items()
                return {"$map": [[self.write(key), self.write(item)] for key, item in pairs]}
            case Iterable():
                return [self.write(item) for item in cast("Iterable[object]", value)]
            case _:
                return _opaque(value)

    def _named(self, value: object, names: Iterable[str]) -> dict[str, object]:
        written = {"$": type(value).__name__, **{name: self.write(getattr(value, name)) for name in names}}
        if isinstance(value, _WITH_URL):
            written["url"] = self.text(url_without_secrets(value.url))
        if isinstance(value, commands.Fetch):
            written["headers"] = [[name, self._header(name, text)] for name, text in value.headers]
        if isinstance(value, commands.SendDatagram):
            # An auth chain is longer than a datagram: a part of its signature would not be found.
            written["data"] = self.write(bytes(len(value.data)))
        return written

    def _header(self, name: str, text: str) -> str:
        """A header's text.  A link's payload is hidden as what it is, before it is JSON within JSON."""
        if not name.startswith("x-identity-auth-chain-"):
            return self.text(text)
        return self.text(self._link(_read_link(text)).to_json())

    def _link(self, link: AuthLink) -> AuthLink:
        return AuthLink(link.type, self.text(link.payload), link.signature)

    def _adapter(self, adapter: Adapter) -> str:
        if isinstance(adapter, WsRoomAdapter | ArchipelagoAdapter | SignedLoginAdapter):
            # A part of its path may come back as a room's name.
            parts, shown = adapter.url.split("/"), url_without_secrets(adapter.url).split("/")
            for secret, placeholder in zip(parts, shown, strict=False):
                if secret != placeholder:
                    self.learn(secret.partition("?")[0], placeholder.partition("?")[0])
        if isinstance(adapter, LiveKitAdapter):
            self._token(adapter.token)
        return self.text(adapter.without_secrets().to_connection_string())

    def _token(self, token: AccessToken) -> str:
        secret, placeholder = token.reveal(), token.without_signature().reveal()
        self.learn(secret, placeholder)
        self.learn(secret.rpartition(".")[2], placeholder.rpartition(".")[2])
        return placeholder

    def _chain(self, chain: AuthChain) -> str:
        for link in chain.links:
            self.learn(link.signature, "0x" + "0" * (len(link.signature) - 2))
        return self.text(AuthChain(tuple(map(self._link, chain.links))).to_json())


def _read_link(text: str) -> AuthLink:
    """A link of ours, from its header."""
    document = json.loads(text)
    return AuthLink(AuthLinkType(document["type"]), document["payload"], document["signature"])


def _opaque(value: object) -> dict[str, object]:
    return {"$opaque": type(value).__name__}


def read_value(document: object) -> Any:  # noqa: C901, PLR0911, PLR0912 - one flat table of kinds
    """The value that was written; sequences are tuples.  ValueError and its like, TypeError: it was not written so."""
    if isinstance(document, list):
        return tuple(map(read_value, cast("list[object]", document)))
    if not isinstance(document, dict):
        return document
    match cast("dict[str, Any]", document):
        case {"$": str(name), **values}:
            return _CLASSES[name](**{key: read_value(value) for key, value in values.items()})
        case {"$bytes": str(text)}:
            return b64decode(text, validate=True)
        case {"$enum": str(kind), "name": str(name)}:
            return _ENUMS[kind][name]
        case {"$float": str(text)}:
            return _FLOATS[text]
        case {"$message": str(name), "data": str(text)}:
            return decode_message(_MESSAGES[name], b64decode(text, validate=True))
        case {"$adapter": str(text)}:
            return parse_connection_string(text)
        case {"$token": str(text)}:
            return AccessToken(text)
        case {"$chain": str(text)}:
            return AuthChain.from_json(text)
        case {"$map": list(pairs)}:
            return {read_value(key): read_value(value) for key, value in pairs}
        case {"$opaque": _}:
            return Opaque()
        case _:
            msg = "no such kind of value"
            raise ValueError(msg)
