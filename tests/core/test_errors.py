"""Exceptions: one family, texts that say what is wrong, and no harm from pickling."""

from __future__ import annotations

import inspect
import pickle

import pytest

import dcl_comms_core.errors
from dcl_comms_core import (
    AuthChainProblem,
    CloseReason,
    CommsError,
    ConnectionLost,
    ConnectionStringProblem,
    DecodeError,
    EncodeError,
    IdentityExpired,
    InvalidAuthChain,
    InvalidConnectionString,
    InvalidFilter,
    InvalidJournal,
    InvalidRealm,
    InvalidRecord,
    InvalidSound,
    InvalidToken,
    JournalProblem,
    ListenerOverflow,
    LocalProtocolError,
    NotInARoom,
    NoWhispers,
    PacketTooLarge,
    PermissionMissing,
    ProtocolError,
    RealmProblem,
    RemoteProtocolError,
    RequestFailed,
    Retry,
    SendQueueFull,
    SigningProblem,
    SigningRefused,
    TargetProblem,
    TargetRefused,
    TokenError,
    TokenExpired,
    TokenNotYetValid,
    TrackEncrypted,
    TrackEnded,
)
from dcl_comms_core.errors import ExtraMissing

TEXTS: list[tuple[CommsError, str]] = [
    (InvalidConnectionString(ConnectionStringProblem.EMPTY), "empty"),
    (InvalidConnectionString(ConnectionStringProblem.BAD_URL, "a port is a number"), "bad URL: a port is a number"),
    (InvalidToken(ConnectionStringProblem.NO_ROOM), "access token names no room"),
    (TokenExpired("late"), "late"),
    (TokenNotYetValid("early"), "early"),
    (PermissionMissing("roomJoin"), "the access token does not grant roomJoin"),
    (PermissionMissing("canPublish", "why"), "the access token does not grant canPublish: why"),
    (PermissionMissing("canPublish", "why", taken=True), "the server took canPublish away: why"),
    (TrackEnded(), "the server took the track back: publish another, if it is to go on"),
    (TrackEncrypted(), "the track is encrypted end to end: nothing that we could play comes of it"),
    (InvalidAuthChain(AuthChainProblem.WRONG_SIGNER), "signed by another key"),
    (InvalidAuthChain(AuthChainProblem.BAD_LINK, "why"), "a link is malformed: why"),
    (IdentityExpired("over"), "over"),
    (
        SigningRefused(SigningProblem.NOT_A_CHALLENGE, "why"),
        "not signed: not a challenge of Decentraland's comms: why",
    ),
    (InvalidRealm(RealmProblem.NO_ADAPTER), "it names no adapter"),
    (TargetRefused(TargetProblem.PLACE, "why"), "not requested: an address that is out of bounds: why"),
    (RequestFailed(CloseReason.TIMEOUT), "no answer in time"),
    (RequestFailed(CloseReason.TLS, "why"), "no secure connection: why"),
    (InvalidJournal(JournalProblem.TOO_LARGE), "longer than Limits.journal_bytes"),
    (InvalidJournal(JournalProblem.BAD_LINE, 3), "a line that is no step: line 3"),
    (InvalidSound("it is empty"), "this is no WAV file with PCM of 8, 16, 24 or 32 bits: it is empty"),
    (InvalidRecord("no kind of event: 'x'"), "no kind of event: 'x'"),
    (InvalidFilter("an operator is missing", 4), "column 4: an operator is missing"),
    (ListenerOverflow(3), "3 events of a listener were not read: read faster, or let on_full drop the oldest"),
    (DecodeError("truncated", 7), "truncated at byte 7"),
    (EncodeError("Chat.message"), "Chat.message"),
    (LocalProtocolError("do this instead"), "do this instead"),
    (RemoteProtocolError("they did that"), "they did that"),
    (PacketTooLarge(64_001, 64_000), "the packet takes 64001 bytes in its envelope and the transport accepts 64000"),
    (SendQueueFull("full"), "full"),
    (NotInARoom("the room is waiting", reason=CloseReason.NETWORK), "the room is waiting: the connection was lost"),
    (NotInARoom("no room is open"), "no room is open"),
    (
        NoWhispers(),
        (
            "a ws-room sends everything to everybody: ask can(Can.WHISPER) first, leave out to= and topic=, "
            "say else_everybody=True, or be in a LiveKit room"
        ),
    ),
    (
        ConnectionLost(CloseReason.REMOVED, Retry.NEVER),
        "connection lost: removed from the room (retry: never)",
    ),
    (ExtraMissing("h11", "net"), 'h11 is not installed: pip install "dcl-comms[net]"'),
    (
        ConnectionLost(CloseReason.TLS, Retry.BACKOFF, "bad certificate"),
        "connection lost: no secure connection (retry: backoff): bad certificate",
    ),
]


@pytest.mark.parametrize(("error", "text"), TEXTS)
def test_texts(error: CommsError, text: str) -> None:
    assert str(error) == text
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.__dict__) == (text, error.__dict__)


def test_every_exception_is_of_one_family_and_documented() -> None:
    listed = {name: getattr(dcl_comms_core.errors, name) for name in dcl_comms_core.errors.__all__}
    errors = {name: cls for name, cls in listed.items() if issubclass(cls, BaseException)}
    assert all(issubclass(cls, CommsError) for cls in errors.values())
    raised = {type(error).__name__ for error, _ in TEXTS}
    assert errors.keys() - raised == {"CommsError", "ProtocolError", "TokenError"}
    assert all(name in str(dcl_comms_core.errors.__doc__) for name in raised)


def test_who_is_a_kind_of_whom() -> None:
    for cls in (InvalidConnectionString, DecodeError, EncodeError):
        assert issubclass(cls, ValueError)
    assert issubclass(InvalidToken, InvalidConnectionString)
    assert issubclass(PacketTooLarge, LocalProtocolError)
    assert {TokenExpired.__base__, TokenNotYetValid.__base__, PermissionMissing.__base__} == {TokenError}


def test_the_abstract_error_is_one_of_its_two_kinds() -> None:
    with pytest.raises(TypeError, match="use LocalProtocolError or RemoteProtocolError"):
        ProtocolError("?")
    for cls in (LocalProtocolError, RemoteProtocolError):
        with pytest.raises(ProtocolError):
            raise cls("x")


def every_kind(kind=CommsError):
    for one in kind.__subclasses__():
        yield one
        yield from every_kind(one)


@pytest.mark.parametrize("kind", [kind for kind in every_kind() if kind.__module__.startswith("dcl_comms_core")])
def test_what_an_exception_repeats_of_others_steers_no_terminal(kind):
    if kind is ProtocolError:
        return
    evil = "\x1b[2J\u202e\u2028one\ntwo\x07"
    given = {"str": evil, "int": 1, "float": 1.0, "Retry": Retry.NEVER, "CloseReason": CloseReason.NETWORK}
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    args = [
        given[one.annotation.removesuffix(" | None")]
        if one.annotation.removesuffix(" | None") in given
        else next(iter(getattr(inspect.getmodule(kind), one.annotation)))
        for one in parameters
        if one.kind is one.POSITIONAL_OR_KEYWORD
    ] or [evil]
    text = str(kind(*args))
    assert text.isprintable()
