"""States, the transitions between them, and why a room ends.

Theory of operation.  A RoomSession is one machine.  Everything that can move it from one state to another is a
:class:`RoomTrigger`; :data:`ROOM_TRANSITIONS` lists every legal (state, trigger) pair and nothing else moves it.
Triggers from the transport that have no row are late news of a link that was given up, and are ignored.
Triggers from the caller that have no row are misuse, and raise ``LocalProtocolError``.

The diagrams of docs/states.md are made from the tables here.

Whoever waits has a deadline.  Beside each machine's table stands one of what bounds each of its states: the timers of
which at least one runs while something from outside is awaited, or why nothing is.

Two triggers stand for "the link is gone": LOST, when the session will try again by itself, and ENDED, when it will not.
Which of the two it is depends on the reason's :class:`Retry`, on the reconnect policy and on the token's age, and is
decided before the table is asked.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ARCHIPELAGO_TRANSITIONS",
    "ARCHIPELAGO_WAITS",
    "CLOSED_AT",
    "ENET_TRANSITIONS",
    "ENET_WAITS",
    "PULSE_TRANSITIONS",
    "PULSE_WAITS",
    "RETRY",
    "ROOM_TRANSITIONS",
    "ROOM_WAITS",
    "STAGE_TRANSITIONS",
    "STAGE_WAITS",
    "STAY_TRANSITIONS",
    "STAY_WAITS",
    "WAY_TRANSITIONS",
    "WAY_WAITS",
    "WORLD_TRANSITIONS",
    "WORLD_WAITS",
    "ArchipelagoState",
    "ArchipelagoTrigger",
    "CloseReason",
    "EnetState",
    "EnetTrigger",
    "PulseState",
    "PulseTrigger",
    "Retry",
    "RoomState",
    "RoomTrigger",
    "Stage",
    "StageTrigger",
    "StayState",
    "StayTrigger",
    "Timer",
    "WayState",
    "WayTrigger",
    "WorldTrigger",
]


class RoomState(Enum):
    """Where a RoomSession stands."""

    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    RECONNECTING = "reconnecting"
    """The transport repairs its own connection; sends wait in the queue."""
    WAITING = "waiting"
    """The link is gone and a new one is due after a pause; sends wait in the queue."""
    CLOSING = "closing"
    CLOSED = "closed"


class RoomTrigger(Enum):
    """What moves a RoomSession."""

    OPEN = "open()"
    REFUSED = "the token does not allow it"
    OPENED = "link opened"
    RECONNECTING = "link reconnecting"
    RECONNECTED = "link reconnected"
    LOST = "link lost, will retry"
    ENDED = "link ended"
    RETRY = "retry is due"
    CLOSE = "close()"


class Timer(Enum):
    """The timers behind ``deadline()``."""

    CONNECT = "connect"
    """When to give up a link that neither opened nor failed."""
    RETRY = "retry"
    """When to open the next link after one was lost."""
    REPAIR = "repair"
    """When to give up a link that repairs its own connection and says no more."""
    ANNOUNCE = "announce"
    """When to send although the server did not confirm that others know us."""
    MOVEMENT = "movement"
    """When a peer that sent too many movements may be heard of again."""
    MOVE = "move"
    """When our own movement goes out, or goes out again."""
    PRESENCE = "presence"
    """When to announce our profile again."""
    CLOSE = "close"
    """When to stop waiting for a link, or for another source, that was told to close."""
    STAGE = "stage"
    """When to give up a handshake whose next step did not come."""
    HEARTBEAT = "heartbeat"
    """When to tell the island service again where we are."""
    ISLAND = "island"
    """When to say that the island service is silent."""
    REQUEST = "request"
    """When to give up a request, or the signature for it."""
    SEEK = "seek"
    """When to look again for the way into a room that was lost."""
    ENTER = "enter"
    """When to give up a realm in whose rooms we are not yet, or a search for a room that did not lead into it."""
    RESEND = "resend"
    """When a datagram that was not acknowledged goes out again, or its connection is given up."""
    PROVE = "prove"
    """When to forget who wants to connect and did not prove to be where the datagram said it came from."""
    PING = "ping"
    """When to ask a silent connection for a sign of life."""

    def __init__(self, _value: str) -> None:
        self.index = len(type(self).__members__)
        """Its place among them: looking by the member itself in a dict takes twice as long, for its hash."""


class Retry(Enum):
    """What may help after a room was closed."""

    NEVER = "never"
    """Trying again would repeat the harm, or can't help in this process: we left, were removed, replaced or are not
    allowed in, or the engine failed."""
    FRESH_CREDENTIALS = "fresh credentials"
    """The same connection string will not work again; ask the realm for a new one."""
    BACKOFF = "backoff"
    """The same connection string may work again after a pause."""


class CloseReason(Enum):
    """Why a room is closed.  :data:`RETRY` says what may help."""

    CLIENT = "closed by us"
    DUPLICATE_IDENTITY = "the same identity joined again elsewhere"
    REMOVED = "removed from the room"
    ROOM_DELETED = "the room was deleted"
    TOKEN_EXPIRED = "the access token has expired"
    TOKEN_NOT_YET_VALID = "the access token is not valid yet"
    AUTHENTICATION = "the server did not accept the access token, or the signature"
    PERMISSION = "the access token does not permit joining"
    NOT_FOUND = "no comms server at this URL"
    BAD_REQUEST = "the server did not understand the request"
    UNREACHABLE = "the server can't be reached, or lets nobody in now"
    TLS = "no secure connection"
    TIMEOUT = "no answer in time"
    SERVER_SHUTDOWN = "the server is shutting down"
    NETWORK = "the connection was lost"
    PROTOCOL = "the server broke the rules"
    FORBIDDEN = "an address that must not be used from here"
    ENGINE = "the native engine failed"
    OVERFLOW = "events were not read in time"
    BANNED = "banned"
    ROOM_FULL = "the room is full"
    REJECTED = "the server hung up in the middle of the handshake"
    NOT_SIGNED = "the challenge was not signed in time"
    SIGNING_REFUSED = "the server asks for a signature that we don't give"
    NO_WALLET = "a signature is needed, and there is no wallet"
    DENIED = "access denied"
    WRONG_SECRET = "the world's password was not given, or is another one"
    BLOCKED = "refused, and not for what this wallet is: by a firewall or a proxy, or whoever asks"
    THROTTLED = "too many requests"
    CLOCK = "this machine's clock differs from the server's"
    ROOM_TAKEN = "our room of another role needs its place"


RETRY: Final[Mapping[CloseReason, Retry]] = MappingProxyType(
    {
        CloseReason.CLIENT: Retry.NEVER,
        CloseReason.DUPLICATE_IDENTITY: Retry.NEVER,
        CloseReason.REMOVED: Retry.NEVER,
        CloseReason.ROOM_DELETED: Retry.FRESH_CREDENTIALS,
        CloseReason.TOKEN_EXPIRED: Retry.FRESH_CREDENTIALS,
        CloseReason.TOKEN_NOT_YET_VALID: Retry.BACKOFF,
        CloseReason.AUTHENTICATION: Retry.FRESH_CREDENTIALS,
        CloseReason.PERMISSION: Retry.NEVER,
        CloseReason.NOT_FOUND: Retry.NEVER,
        CloseReason.BAD_REQUEST: Retry.NEVER,
        CloseReason.UNREACHABLE: Retry.BACKOFF,
        CloseReason.TLS: Retry.BACKOFF,
        CloseReason.TIMEOUT: Retry.BACKOFF,
        CloseReason.SERVER_SHUTDOWN: Retry.BACKOFF,
        CloseReason.NETWORK: Retry.BACKOFF,
        CloseReason.PROTOCOL: Retry.BACKOFF,
        CloseReason.FORBIDDEN: Retry.NEVER,
        CloseReason.ENGINE: Retry.NEVER,
        CloseReason.OVERFLOW: Retry.NEVER,
        CloseReason.BANNED: Retry.NEVER,
        CloseReason.ROOM_FULL: Retry.FRESH_CREDENTIALS,
        CloseReason.REJECTED: Retry.BACKOFF,
        CloseReason.NOT_SIGNED: Retry.FRESH_CREDENTIALS,
        CloseReason.SIGNING_REFUSED: Retry.NEVER,
        CloseReason.NO_WALLET: Retry.NEVER,
        CloseReason.DENIED: Retry.NEVER,
        CloseReason.WRONG_SECRET: Retry.NEVER,
        CloseReason.BLOCKED: Retry.BACKOFF,
        CloseReason.THROTTLED: Retry.BACKOFF,
        CloseReason.CLOCK: Retry.FRESH_CREDENTIALS,
        CloseReason.ROOM_TAKEN: Retry.BACKOFF,
    }
)
"""What may help after each reason."""

_S = RoomState
_T = RoomTrigger

ROOM_TRANSITIONS: Final[Mapping[tuple[RoomState, RoomTrigger], RoomState]] = MappingProxyType(
    {
        (_S.NEW, _T.OPEN): _S.CONNECTING,
        (_S.NEW, _T.REFUSED): _S.CLOSED,
        (_S.NEW, _T.CLOSE): _S.CLOSED,
        (_S.CONNECTING, _T.OPENED): _S.OPEN,
        (_S.CONNECTING, _T.LOST): _S.WAITING,
        (_S.CONNECTING, _T.ENDED): _S.CLOSED,
        (_S.CONNECTING, _T.CLOSE): _S.CLOSING,
        (_S.OPEN, _T.RECONNECTING): _S.RECONNECTING,
        (_S.OPEN, _T.LOST): _S.WAITING,
        (_S.OPEN, _T.ENDED): _S.CLOSED,
        (_S.OPEN, _T.CLOSE): _S.CLOSING,
        (_S.RECONNECTING, _T.RECONNECTED): _S.OPEN,
        (_S.RECONNECTING, _T.LOST): _S.WAITING,
        (_S.RECONNECTING, _T.ENDED): _S.CLOSED,
        (_S.RECONNECTING, _T.CLOSE): _S.CLOSING,
        (_S.WAITING, _T.RETRY): _S.CONNECTING,
        (_S.WAITING, _T.REFUSED): _S.CLOSED,
        (_S.WAITING, _T.CLOSE): _S.CLOSED,
        (_S.CLOSING, _T.RECONNECTING): _S.CLOSING,
        (_S.CLOSING, _T.RECONNECTED): _S.CLOSING,
        (_S.CLOSING, _T.ENDED): _S.CLOSED,
        (_S.CLOSING, _T.CLOSE): _S.CLOSING,
        (_S.CLOSED, _T.CLOSE): _S.CLOSED,
    }
)
"""Every legal move of a RoomSession."""

Bound = tuple[Timer, ...] | str
"""The timers of which one at least runs in a state, or why none needs to: nothing from outside is awaited there."""

_NOT_BEGUN: Final = "not begun"
_OVER: Final = "over"

ROOM_WAITS: Final[Mapping[RoomState, Bound]] = MappingProxyType(
    {
        _S.NEW: _NOT_BEGUN,
        _S.CONNECTING: (Timer.CONNECT,),
        _S.OPEN: "we are where we want to be",
        _S.RECONNECTING: (Timer.REPAIR,),
        _S.WAITING: (Timer.RETRY,),
        _S.CLOSING: (Timer.CLOSE,),
        _S.CLOSED: _OVER,
    }
)
"""What bounds each state of a RoomSession."""


class Stage(Enum):
    """How far a handshake with the island service or a ws-room has come.  A close is judged by it, not by its code."""

    IDLE = "idle"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    """We said who we are and wait for a challenge."""
    SIGNING = "signing"
    """The application is to sign the challenge."""
    PROVING = "proving"
    """We sent the signed challenge and wait to be welcomed."""
    WELCOMED = "welcomed"


class StageTrigger(Enum):
    """What moves a handshake."""

    BEGIN = "begin"
    OPENED = "socket opened"
    CHALLENGED = "challenge"
    SIGNED = "provide_signature()"
    WELCOMED = "welcome"
    OVER = "socket over"


_G = Stage
_H = StageTrigger

STAGE_TRANSITIONS: Final[Mapping[tuple[Stage, StageTrigger], Stage]] = MappingProxyType(
    {
        (_G.IDLE, _H.BEGIN): _G.CONNECTING,
        (_G.CONNECTING, _H.OPENED): _G.IDENTIFYING,
        (_G.IDENTIFYING, _H.CHALLENGED): _G.SIGNING,
        (_G.SIGNING, _H.SIGNED): _G.PROVING,
        (_G.PROVING, _H.WELCOMED): _G.WELCOMED,
        **{(stage, _H.OVER): _G.IDLE for stage in Stage},
    }
)
"""Every legal move of a handshake; what a server sends that has no row is ignored."""

STAGE_WAITS: Final[Mapping[Stage, Bound]] = MappingProxyType(
    {
        _G.IDLE: "no socket",
        _G.CONNECTING: (Timer.STAGE,),
        _G.IDENTIFYING: (Timer.STAGE,),
        _G.SIGNING: (Timer.STAGE,),
        _G.PROVING: (Timer.STAGE,),
        _G.WELCOMED: "we are in",
    }
)
"""What bounds each stage of a handshake."""

CLOSED_AT: Final[Mapping[Stage, CloseReason]] = MappingProxyType(
    {
        _G.IDENTIFYING: CloseReason.REJECTED,
        _G.SIGNING: CloseReason.NOT_SIGNED,
        _G.PROVING: CloseReason.AUTHENTICATION,
        _G.WELCOMED: CloseReason.NETWORK,
    }
)
"""Why a server hung up, by the stage at which it did.  One that could not be
reached, and a socket that ends without a close frame, mean the same at any."""


class ArchipelagoState(Enum):
    """Where an ArchipelagoSession stands."""

    NEW = "new"
    HANDSHAKE = "handshake"
    OPEN = "open"
    WAITING = "waiting"
    """The socket is gone and a new handshake is due after a pause."""
    CLOSING = "closing"
    CLOSED = "closed"


class ArchipelagoTrigger(Enum):
    """What moves an ArchipelagoSession."""

    OPEN = "open()"
    REFUSED = "nothing is signed for this host"
    WELCOMED = "welcome"
    LOST = "socket lost, will retry"
    RENEW = "renew()"
    ENDED = "socket ended"
    RETRY = "retry is due"
    CLOSE = "close()"


_A = ArchipelagoState
_B = ArchipelagoTrigger

ARCHIPELAGO_TRANSITIONS: Final[Mapping[tuple[ArchipelagoState, ArchipelagoTrigger], ArchipelagoState]] = (
    MappingProxyType(
        {
            (_A.NEW, _B.OPEN): _A.HANDSHAKE,
            (_A.NEW, _B.REFUSED): _A.CLOSED,
            (_A.NEW, _B.CLOSE): _A.CLOSED,
            (_A.HANDSHAKE, _B.WELCOMED): _A.OPEN,
            (_A.HANDSHAKE, _B.LOST): _A.WAITING,
            (_A.HANDSHAKE, _B.ENDED): _A.CLOSED,
            (_A.HANDSHAKE, _B.CLOSE): _A.CLOSING,
            (_A.OPEN, _B.LOST): _A.WAITING,
            (_A.OPEN, _B.RENEW): _A.WAITING,
            (_A.OPEN, _B.ENDED): _A.CLOSED,
            (_A.OPEN, _B.CLOSE): _A.CLOSING,
            (_A.WAITING, _B.RETRY): _A.HANDSHAKE,
            (_A.WAITING, _B.CLOSE): _A.CLOSED,
            (_A.CLOSING, _B.ENDED): _A.CLOSED,
            (_A.CLOSING, _B.CLOSE): _A.CLOSING,
            (_A.CLOSED, _B.CLOSE): _A.CLOSED,
        }
    )
)
"""Every legal move of an ArchipelagoSession."""

ARCHIPELAGO_WAITS: Final[Mapping[ArchipelagoState, Bound]] = MappingProxyType(
    {
        _A.NEW: _NOT_BEGUN,
        _A.HANDSHAKE: (Timer.STAGE,),
        # Whoever can't go on without an island has a timer of its own: a WorldSession's stay.
        _A.OPEN: "an island comes when there is one",
        _A.WAITING: (Timer.RETRY,),
        _A.CLOSING: (Timer.CLOSE,),
        _A.CLOSED: _OVER,
    }
)
"""What bounds each state of an ArchipelagoSession."""


class WayState(Enum):
    """How far a way to a room has come: from a realm's URL, or from wherever a connection string is to be had."""

    IDLE = "idle"
    LOOKING = "looking"
    """The realm's ``/about`` was asked for."""
    SIGNING = "signing"
    """The application is to sign a request for a connection string."""
    ASKING = "asking"
    """The signed request was made."""


class WayTrigger(Enum):
    """What moves a way."""

    LOOK = "look at the realm"
    SIGN = "a signature is needed"
    SIGNED = "provide_signature()"
    OVER = "found, failed or given up"


_W = WayState
_X = WayTrigger

WAY_TRANSITIONS: Final[Mapping[tuple[WayState, WayTrigger], WayState]] = MappingProxyType(
    {
        (_W.IDLE, _X.LOOK): _W.LOOKING,
        (_W.IDLE, _X.SIGN): _W.SIGNING,
        (_W.LOOKING, _X.SIGN): _W.SIGNING,
        (_W.SIGNING, _X.SIGNED): _W.ASKING,
        (_W.ASKING, _X.SIGN): _W.SIGNING,
        **{(state, _X.OVER): _W.IDLE for state in WayState},
    }
)
"""Every legal move of a way."""

WAY_WAITS: Final[Mapping[WayState, Bound]] = MappingProxyType(
    {
        _W.IDLE: "nothing was asked",
        _W.LOOKING: (Timer.REQUEST,),
        _W.SIGNING: (Timer.REQUEST,),
        _W.ASKING: (Timer.REQUEST,),
    }
)
"""What bounds each state of a way."""


class StayState(Enum):
    """Where we stand with the room of one role: the island's (or world's), or the scene's."""

    AWAY = "away"
    """We want to be in none."""
    SEEKING = "seeking"
    """The realm, the island service or the gatekeeper is asked where it is."""
    ENTERING = "entering"
    """We know where it is, and it is being joined."""
    IN = "in"
    WAITING = "waiting"
    """It was lost, or could not be found; the next search begins after a pause."""


class StayTrigger(Enum):
    """What moves a stay."""

    SEEK = "search begins"
    FOUND = "adapter"
    ENTERED = "room open"
    LOST = "lost, will search again"
    STOP = "not wanted any more"


_Y = StayState
_Z = StayTrigger

STAY_TRANSITIONS: Final[Mapping[tuple[StayState, StayTrigger], StayState]] = MappingProxyType(
    {
        **{(state, _Z.SEEK): _Y.SEEKING for state in StayState},
        **{(state, _Z.FOUND): _Y.ENTERING for state in StayState if state is not _Y.AWAY},
        **{(state, _Z.STOP): _Y.AWAY for state in StayState},
        (_Y.SEEKING, _Z.LOST): _Y.WAITING,
        (_Y.ENTERING, _Z.ENTERED): _Y.IN,
        (_Y.ENTERING, _Z.LOST): _Y.WAITING,
        (_Y.IN, _Z.LOST): _Y.WAITING,
    }
)
"""Every legal move of a stay."""

STAY_WAITS: Final[Mapping[StayState, Bound]] = MappingProxyType(
    {
        # A scene that is wanted before the realm is known waits here, as long as the world may take to know it.
        _Y.AWAY: "no room is wanted, or the realm is not known yet",
        _Y.SEEKING: (Timer.ENTER,),
        _Y.ENTERING: (Timer.ENTER,),
        _Y.IN: "we are in, or the room's own session sees to that",
        _Y.WAITING: (Timer.SEEK,),
    }
)
"""What bounds each state of a stay."""


class WorldTrigger(Enum):
    """What moves a WorldSession, whose states are those of a room."""

    OPEN = "open()"
    ENTERED = "island's or world's room open"
    LOST = "that room lost, will return"
    ENDED = "it is over"
    CLOSE = "close()"
    DONE = "everything closed"


_V = WorldTrigger

WORLD_TRANSITIONS: Final[Mapping[tuple[RoomState, WorldTrigger], RoomState]] = MappingProxyType(
    {
        (_S.NEW, _V.OPEN): _S.CONNECTING,
        (_S.NEW, _V.CLOSE): _S.CLOSING,
        (_S.CONNECTING, _V.ENTERED): _S.OPEN,
        (_S.CONNECTING, _V.ENDED): _S.CLOSING,
        (_S.CONNECTING, _V.CLOSE): _S.CLOSING,
        (_S.OPEN, _V.LOST): _S.WAITING,
        (_S.OPEN, _V.ENDED): _S.CLOSING,
        (_S.OPEN, _V.CLOSE): _S.CLOSING,
        (_S.WAITING, _V.ENTERED): _S.OPEN,
        (_S.WAITING, _V.ENDED): _S.CLOSING,
        (_S.WAITING, _V.CLOSE): _S.CLOSING,
        (_S.CLOSING, _V.CLOSE): _S.CLOSING,
        (_S.CLOSING, _V.DONE): _S.CLOSED,
        (_S.CLOSED, _V.CLOSE): _S.CLOSED,
    }
)
"""Every legal move of a WorldSession."""

WORLD_WAITS: Final[Mapping[RoomState, Bound]] = MappingProxyType(
    {
        _S.NEW: _NOT_BEGUN,
        _S.CONNECTING: (Timer.ENTER,),
        _S.OPEN: "we are where we want to be",
        # It is searched for, after a pause or now.
        _S.WAITING: (Timer.SEEK, Timer.ENTER),
        _S.CLOSING: (Timer.CLOSE,),
        _S.CLOSED: _OVER,
    }
)
"""What bounds each state of a WorldSession; its rooms' timers count."""


class EnetState(Enum):
    """Where a connection of ENet stands."""

    NEW = "new"
    CONNECTING = "connecting"
    """We asked, and were not answered yet."""
    PROVING = "proving"
    """We answered, and do not know yet whether whoever asked is where the datagram said it came from."""
    CONNECTED = "connected"
    LEAVING_LATER = "leaving later"
    """We leave once all that is reliable has been acknowledged."""
    LEAVING = "leaving"
    """We said that we leave, which was not acknowledged yet."""
    CLOSED = "closed"


class EnetTrigger(Enum):
    """What moves a connection of ENet."""

    CONNECT = "connect()"
    ACCEPT = "CONNECT"
    VERIFIED = "answered, or proved"
    LEAVE_LATER = "disconnect_later()"
    LEAVE = "disconnect()"
    OVER = "it is over"


_N = EnetState
_M = EnetTrigger

ENET_TRANSITIONS: Final[Mapping[tuple[EnetState, EnetTrigger], EnetState]] = MappingProxyType(
    {
        (_N.NEW, _M.CONNECT): _N.CONNECTING,
        (_N.NEW, _M.ACCEPT): _N.PROVING,
        (_N.CONNECTING, _M.VERIFIED): _N.CONNECTED,
        (_N.PROVING, _M.VERIFIED): _N.CONNECTED,
        (_N.CONNECTED, _M.LEAVE_LATER): _N.LEAVING_LATER,
        (_N.CONNECTED, _M.LEAVE): _N.LEAVING,
        (_N.LEAVING_LATER, _M.LEAVE): _N.LEAVING,
        **{(state, _M.OVER): _N.CLOSED for state in EnetState if state is not _N.NEW},
    }
)
"""Every legal move of a connection of ENet."""

ENET_WAITS: Final[Mapping[EnetState, Bound]] = MappingProxyType(
    {
        _N.NEW: _NOT_BEGUN,
        _N.CONNECTING: (Timer.RESEND,),
        _N.PROVING: (Timer.PROVE, Timer.RESEND),
        _N.CONNECTED: (Timer.RESEND, Timer.PING),
        _N.LEAVING_LATER: (Timer.RESEND,),
        _N.LEAVING: (Timer.RESEND,),
        _N.CLOSED: _OVER,
    }
)
"""What bounds each state of a connection of ENet."""


class PulseState(Enum):
    """Where a PulseSession stands."""

    NEW = "new"
    OPENING = "opening"
    """The network is asked for datagrams to the service's address."""
    CONNECTING = "connecting"
    """ENet connects."""
    SIGNING = "signing"
    """The application is to sign who we are."""
    GREETING = "greeting"
    """The service was told who we are."""
    OPEN = "open"
    WAITING = "waiting"
    """The connection is gone, or never was, and a new one is due after a pause."""
    CLOSING = "closing"
    CLOSED = "closed"


class PulseTrigger(Enum):
    """What moves a PulseSession."""

    OPEN = "open()"
    REFUSED = "nobody can sign"
    OPENED = "datagrams opened"
    CONNECTED = "ENet connected"
    SIGNED = "provide_signature()"
    WELCOMED = "handshake accepted"
    LOST = "lost or refused, will retry"
    ENDED = "over"
    RETRY = "retry is due"
    CLOSE = "close()"


_P = PulseState
_Q = PulseTrigger

PULSE_TRANSITIONS: Final[Mapping[tuple[PulseState, PulseTrigger], PulseState]] = MappingProxyType(
    {
        (_P.NEW, _Q.OPEN): _P.OPENING,
        (_P.NEW, _Q.REFUSED): _P.CLOSED,
        (_P.NEW, _Q.CLOSE): _P.CLOSED,
        (_P.OPENING, _Q.OPENED): _P.CONNECTING,
        (_P.CONNECTING, _Q.CONNECTED): _P.SIGNING,
        (_P.SIGNING, _Q.SIGNED): _P.GREETING,
        (_P.GREETING, _Q.WELCOMED): _P.OPEN,
        **{
            (state, trigger): goal
            for state in (_P.OPENING, _P.CONNECTING, _P.SIGNING, _P.GREETING, _P.OPEN)
            for trigger, goal in ((_Q.LOST, _P.WAITING), (_Q.ENDED, _P.CLOSED), (_Q.CLOSE, _P.CLOSING))
        },
        (_P.WAITING, _Q.RETRY): _P.OPENING,
        (_P.WAITING, _Q.CLOSE): _P.CLOSED,
        (_P.CLOSING, _Q.ENDED): _P.CLOSED,
        (_P.CLOSING, _Q.CLOSE): _P.CLOSING,
        (_P.CLOSED, _Q.CLOSE): _P.CLOSED,
    }
)
"""Every legal move of a PulseSession."""

PULSE_WAITS: Final[Mapping[PulseState, Bound]] = MappingProxyType(
    {
        _P.NEW: _NOT_BEGUN,
        _P.OPENING: (Timer.CONNECT,),
        _P.CONNECTING: (Timer.CONNECT,),
        _P.SIGNING: (Timer.STAGE,),
        _P.GREETING: (Timer.STAGE,),
        # ENet's connection is within it.
        _P.OPEN: (Timer.RESEND, Timer.PING),
        _P.WAITING: (Timer.RETRY,),
        _P.CLOSING: (Timer.CLOSE,),
        _P.CLOSED: _OVER,
    }
)
"""What bounds each state of a PulseSession."""
