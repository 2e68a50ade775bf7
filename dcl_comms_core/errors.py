"""The exceptions of dcl-comms: those of the core are here, those of other packages are named here.

All of them derive from :class:`CommsError`.  None carries a secret: texts describe what is wrong with an
access token, an auth chain or a key, and never repeat it.  An interpreter prints them where nobody catches them, so
what they repeat of others is made safe for a terminal.

===========================  =====================================================================
exception                    raised when
===========================  =====================================================================
InvalidConnectionString      a connection string can't be parsed (``problem`` says why)
InvalidToken                 an access token can't be read (a kind of InvalidConnectionString)
TokenExpired                 ``AccessToken.check``: the token's time is over
TokenNotYetValid             ``AccessToken.check``: the token's time has not begun
PermissionMissing            a token's grants do not allow what was asked for
InvalidAuthChain             an auth chain can't be read or does not prove what it should (``problem``)
IdentityExpired              the ephemeral key's time is over, or will be within the margin
SigningRefused               a challenge or an address that we don't sign for (``problem`` says why)
InvalidRealm                 a realm's ``/about`` can't be used (``problem`` says why)
InvalidSound                 what should be sound is no WAV file, or of a kind that is not read
TargetRefused                a URL that must not be requested from here (``problem`` says why)
RequestFailed                an HTTP request got no answer that can be used (``reason`` says why)
InvalidJournal               a journal can't be read (``problem``, ``line``)
InvalidRecord                ``from_dict``: it is no event; the text says what is wrong with which field
InvalidFilter                a filter can't be read (``problem``; ``column``: where, from 1)
BadArgument                  (``dcl_comms_bot``) what somebody wrote is not what a bot's command takes
DecodeError                  bytes are not a valid message (``offset``: where)
EncodeError                  a message can't be written (two members of a oneof, a value out of range)
LocalProtocolError           the caller broke the rules; the text says what to do instead
ExtraMissing                 a package that an extra brings is not installed (``name``, ``extra``); it is a
                             LocalProtocolError and a ModuleNotFoundError
RemoteProtocolError          the other side broke the rules
PacketTooLarge               a packet is over the size that the transport accepts
SendQueueFull                the send queue is at its limit: wait for credit, or send less
TrackEnded                   the server took a track of ours back
NoWhispers                   a room sends everything to everybody, and this is for some (a LocalProtocolError)
NotInARoom                   no room is open now, and what was asked for does not wait for one
TrackEncrypted               a track is encrypted end to end: its frames are no sound and no pictures
ListenerOverflow             a listener's events were not read in time, and it was to end then; the
                             connection goes on
ConnectionLost               the room is gone (``reason``, ``retry``): what reading a connection's
                             events ends with, and what verbs raise after its end
===========================  =====================================================================

Of other packages, each beside what raises it:

===========================  =====================================================================
exception                    where it is, and when it is raised
===========================  =====================================================================
MovementRefused              ``dcl_comms_core``: a compressed movement can't be read or written
EngineUnavailable            ``dcl_comms_drivers.livekit``: LiveKit's native engine can't be used here
NativeRefusal                ``dcl_comms_drivers.livekit.engine``: that engine refused a request
KeyFileRefused               ``dcl_comms_drivers.wallet``: a key file that others may read, or that
                             holds no key
ServerUnavailable            ``dcl_comms_drivers.realm``: there is no livekit-server to start
Failed                       ``dcl_comms_station.exits``: a command can't go on (``exit_code``)
AddresseeMissing             ``dcl_comms_station.exits``: somebody did not come (a kind of Failed)
InvalidRecording             ``dcl_comms_station.recording``: a file is no recording of ours, or is damaged
                             (a kind of Failed)
RecordingStopped             ``dcl_comms_station.recording``: a recording can't be written, or could not
                             be to its end (a kind of Failed)
===========================  =====================================================================

Entering ``connect()`` raises ConnectionLost where the way in fails, and before that, where what it was given is no
good: InvalidConnectionString, PermissionMissing and the other TokenErrors, LocalProtocolError, ExtraMissing,
EngineUnavailable, or what the wallet raises.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from dcl_comms_core.printable import clean

if TYPE_CHECKING:
    from dcl_comms_core.states import CloseReason, Retry

__all__ = [
    "AuthChainProblem",
    "CommsError",
    "ConnectionLost",
    "ConnectionStringProblem",
    "DecodeError",
    "EncodeError",
    "ExtraMissing",
    "IdentityExpired",
    "InvalidAuthChain",
    "InvalidConnectionString",
    "InvalidFilter",
    "InvalidJournal",
    "InvalidRealm",
    "InvalidRecord",
    "InvalidSound",
    "InvalidToken",
    "JournalProblem",
    "ListenerOverflow",
    "LocalProtocolError",
    "NoWhispers",
    "NotInARoom",
    "PacketTooLarge",
    "PermissionMissing",
    "ProtocolError",
    "RealmProblem",
    "RemoteProtocolError",
    "RequestFailed",
    "SendQueueFull",
    "SigningProblem",
    "SigningRefused",
    "TargetProblem",
    "TargetRefused",
    "TokenError",
    "TokenExpired",
    "TokenNotYetValid",
    "TrackEncrypted",
    "TrackEnded",
]


class CommsError(Exception):
    """Base of every exception that dcl-comms raises on purpose."""

    def __str__(self) -> str:
        return clean(super().__str__())


class ConnectionStringProblem(Enum):
    """What is wrong with a connection string or with the access token in it."""

    NOT_TEXT = "not text"
    EMPTY = "empty"
    TOO_LONG = "too long"
    CONTROL_CHARACTER = "control character"
    NO_PROTOCOL = "no protocol name"
    UNKNOWN_PROTOCOL = "unknown protocol"
    BAD_URL = "bad URL"
    USER_INFO = "user info in the URL"
    TOO_MANY_WRAPPERS = "too many wrappers"
    NO_TOKEN = "no access token"
    EMPTY_TOKEN = "empty access token"
    NOT_A_JWT = "access token is not a JWT"
    NO_ROOM = "access token names no room"


class InvalidConnectionString(CommsError, ValueError):
    """A connection string can't be parsed.  Never contains the string itself, which may hold a token."""

    def __init__(self, problem: ConnectionStringProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return _told(self.problem.value, self.detail)


class InvalidToken(InvalidConnectionString):
    """An access token can't be read.  Never contains the token."""


class TokenError(CommsError):
    """Base of the three answers of ``AccessToken.check``."""


class TokenExpired(TokenError):
    """The token's ``exp`` is in the past: ask the realm for a new connection string."""


class TokenNotYetValid(TokenError):
    """The token's ``nbf`` is in the future: check this machine's clock."""


class PermissionMissing(TokenError):
    """The token's grants don't allow this, or the server took it away.  ``grant`` is the name of the missing one."""

    def __init__(self, grant: str, detail: str = "", *, taken: bool = False) -> None:
        super().__init__(grant, detail)
        self.grant = grant
        self.detail = detail
        self.taken = taken
        """Whether the token grants it, and the server took it away."""

    def __str__(self) -> str:
        what = f"the server took {self.grant} away" if self.taken else f"the access token does not grant {self.grant}"
        return _told(what, self.detail)


class AuthChainProblem(Enum):
    """What is wrong with an auth chain, or what it fails to prove."""

    NOT_TEXT = "not text"
    TOO_LONG = "too long"
    NOT_JSON = "not a JSON list of links"
    TOO_MANY_LINKS = "too many links"
    BAD_LINK = "a link is malformed"
    BAD_ORDER = "its links are not SIGNER, ephemeral keys, signed payload"
    BAD_ADDRESS = "not an Ethereum address"
    BAD_LOGIN = "the login message is malformed"
    BAD_SIGNATURE = "a signature is malformed"
    WRONG_SIGNER = "signed by another key"
    CONTRACT_REFUSED = "the contract wallet does not accept the signature"
    CONTRACT_UNCHECKED = "a contract wallet, and nothing here can ask it"
    EXPIRED = "the ephemeral key has expired"
    WRONG_PAYLOAD = "another payload was signed"


class InvalidAuthChain(CommsError, ValueError):
    """An auth chain can't be read, or does not prove what it should.  Never contains any part of the chain."""

    def __init__(self, problem: AuthChainProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return _told(self.problem.value, self.detail)


class IdentityExpired(CommsError):
    """The ephemeral key's time is over, or will be within the margin: let the wallet sign a new login."""


class SigningProblem(Enum):
    """Why something is not signed."""

    NOT_A_CHALLENGE = "not a challenge of Decentraland's comms"
    HOST_NOT_ALLOWED = "a host that is not on the allow-list"


class SigningRefused(CommsError):
    """The other side asked for a signature that we don't give.  ``problem`` says why."""

    def __init__(self, problem: SigningProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return "not signed: " + _told(self.problem.value, self.detail)


class RealmProblem(Enum):
    """Why a realm's ``/about`` can't be used."""

    NOT_TEXT = "not text"
    TOO_LONG = "too long"
    NOT_JSON = "not a JSON object"
    OTHER_PROTOCOL = "comms of a protocol other than v3"
    BAD_ADAPTER = "its adapter can't be read"
    NO_ADAPTER = "it names no adapter"


class InvalidSound(CommsError, ValueError):
    """What should be sound is no WAV file, or one of a kind that is not read.  ``detail`` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return _told("this is no WAV file with PCM of 8, 16, 24 or 32 bits", self.detail)


class InvalidRealm(CommsError, ValueError):
    """A realm's ``/about`` can't be used.  ``problem`` says why."""

    def __init__(self, problem: RealmProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return _told(self.problem.value, self.detail)


class TargetProblem(Enum):
    """Why a URL is not requested."""

    BAD_URL = "not a URL that can be requested"
    PLAIN = "not encrypted"
    PLACE = "an address that is out of bounds"


class TargetRefused(CommsError):
    """A URL must not be requested from here.  ``problem`` says why; the URL is not repeated."""

    def __init__(self, problem: TargetProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return "not requested: " + _told(self.problem.value, self.detail)


class RequestFailed(CommsError):
    """An HTTP request got no answer that can be used.  ``reason`` says why, ``detail`` holds no secret."""

    def __init__(self, reason: CloseReason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return _told(self.reason.value, self.detail)


class JournalProblem(Enum):
    """Why a journal can't be read."""

    TOO_LARGE = "longer than Limits.journal_bytes"
    NOT_A_JOURNAL = "not a journal of dcl-comms"
    OTHER_VERSION = "a version of the format that this library does not read"
    BAD_SESSION = "no session can be made from its first line"
    BAD_LINE = "a line that is no step"


class InvalidJournal(CommsError, ValueError):
    """A journal can't be read.  ``line`` counts from 1, and is 0 where no single line is to blame."""

    def __init__(self, problem: JournalProblem, line: int = 0) -> None:
        super().__init__(problem, line)
        self.problem = problem
        self.line = line

    def __str__(self) -> str:
        return f"{self.problem.value}: line {self.line}" if self.line else self.problem.value


class InvalidRecord(CommsError, ValueError):
    """Plain values that are no event of this library's."""


class InvalidFilter(CommsError, ValueError):
    """A filter can't be read.  ``problem`` says why, ``column`` where it begins, counted from 1."""

    def __init__(self, problem: str, column: int) -> None:
        super().__init__(problem, column)
        self.problem = problem
        self.column = column

    def __str__(self) -> str:
        return clean(f"column {self.column}: {self.problem}")


class DecodeError(CommsError, ValueError):
    """Bytes are not a valid message.  ``offset`` is the index of the first byte that can't be accepted."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return clean(f"{self.reason} at byte {self.offset}")


class EncodeError(CommsError, ValueError):
    """A message can't be written."""


class ProtocolError(CommsError):
    """Abstract: somebody broke the rules.  Catch it, or one of its two kinds; it can't be instantiated."""

    def __init__(self, *args: object) -> None:
        if type(self) is ProtocolError:
            msg = "ProtocolError is abstract: use LocalProtocolError or RemoteProtocolError"
            raise TypeError(msg)
        super().__init__(*args)


class LocalProtocolError(ProtocolError):
    """You broke the rules: the text says what to do instead."""


class ExtraMissing(LocalProtocolError, ModuleNotFoundError):
    """A package that is not installed is needed: ``name`` is the module's, ``extra`` that of the extra it comes with.

    Both a mistake of the caller's, as ``connect`` raises them, and an ImportError, as ``import`` does.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(module, extra)
        self.name = module
        self.extra = extra

    def __str__(self) -> str:
        return clean(f'{self.name} is not installed: pip install "dcl-comms[{self.extra}]"')


class RemoteProtocolError(ProtocolError):
    """They broke the rules."""


class PacketTooLarge(LocalProtocolError):
    """A packet is larger than the transport, or whoever gets it, accepts.

    ``size`` and ``limit`` are on the same scale: bytes, or what ``detail`` says.
    """

    def __init__(self, size: int, limit: int, detail: str = "") -> None:
        super().__init__(size, limit, detail)
        self.size = size
        self.limit = limit
        self.detail = detail

    def __str__(self) -> str:
        if self.detail:
            return clean(self.detail)
        return f"the packet takes {self.size} bytes in its envelope and the transport accepts {self.limit}"


class NoWhispers(LocalProtocolError):
    """A ws-room sends everything to everybody, and this packet is for some, or has a topic: nothing was sent."""

    def __str__(self) -> str:
        return (
            "a ws-room sends everything to everybody: ask can(Can.WHISPER) first, leave out to= and topic=, "
            "say else_everybody=True, or be in a LiveKit room"
        )


class TrackEncrypted(LocalProtocolError):
    """A track is encrypted end to end (``Track.encrypted``), and we have no key: it can't be heard or seen."""

    def __str__(self) -> str:
        return "the track is encrypted end to end: nothing that we could play comes of it"


class TrackEnded(CommsError):
    """The server took a track of ours back.  Where it took the permission too, PermissionMissing is raised instead."""

    def __str__(self) -> str:
        return "the server took the track back: publish another, if it is to go on"


class SendQueueFull(CommsError):
    """The send queue is at its limit; ``await connection.send(...)`` waits, ``send_nowait`` raises this."""


class ListenerOverflow(CommsError):
    """A listener's events were not read in time, and its ``on_full`` says CLOSE: it is over, the connection is not.

    ``unread``: how many there were; they are given first.
    """

    def __init__(self, unread: int) -> None:
        super().__init__(unread)
        self.unread = unread

    def __str__(self) -> str:
        return f"{self.unread} events of a listener were not read: read faster, or let on_full drop the oldest"


class NotInARoom(CommsError):
    """No room is open now, and what was asked for does not wait for one: try again once there is.

    It waits by itself with ``away="wait"``, which is the default; what names a track, or a peer of whom
    nothing is known while no room is open, never does.
    ``reason``: why the last room was lost, None: none was open yet, or none is known.  ``until``: when the next thing
    is due that may bring a room or the end, seconds of the clock that events have in ``at``; None: not known.
    """

    def __init__(self, detail: str, reason: CloseReason | None = None, until: float | None = None) -> None:
        super().__init__(detail, reason, until)
        self.detail = detail
        self.reason = reason
        self.until = until

    def __str__(self) -> str:
        return _told(self.detail, "" if self.reason is None else self.reason.value)


class ConnectionLost(CommsError):
    """The room is gone.  ``reason`` says why, ``retry`` what may help; ``detail`` is for people."""

    def __init__(self, reason: CloseReason, retry: Retry, detail: str = "") -> None:
        super().__init__(reason, retry, detail)
        self.reason = reason
        self.retry = retry
        self.detail = detail

    def __str__(self) -> str:
        text = f"connection lost: {self.reason.value} (retry: {self.retry.value})"
        return _told(text, self.detail)


def _told(problem: str, detail: str) -> str:
    return clean(f"{problem}: {detail}" if detail else problem)
