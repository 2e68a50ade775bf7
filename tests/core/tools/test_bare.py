"""Exceptions from outside of the frames that had secrets."""

from __future__ import annotations

import pickle
import traceback

import pytest

from dcl_comms_core import (
    AccessToken,
    Fetched,
    FrameReceived,
    InvalidConnectionString,
    Journal,
    LinkRef,
    LocalProtocolError,
    Place,
    WorldSession,
    parse_connection_string,
)
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.journal.values import Placeholders
from dcl_comms_core.tools.bare import bare, raises_bare

SECRET = "HUSHHUSHHUSH0123456789abcdefHUSHHUSHHUSH"


def frames(error: BaseException | None) -> str:
    """What programs print that show the variables of all frames: those of ours."""
    lines: list[str] = []
    while error is not None:
        lines.append(repr(error))
        lines += [
            repr(value)
            for frame, _ in traceback.walk_tb(error.__traceback__)
            if "dcl_comms_core" in frame.f_code.co_filename
            for value in frame.f_locals.values()
        ]
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


@pytest.mark.parametrize("read", [parse_connection_string, parse_target, AccessToken.parse, WorldSession])
@pytest.mark.parametrize(
    "text",
    [
        f"livekit:wss://h?access_token={SECRET}",
        f"livekit:wss://h?access_token=eyJhbGciOiJIUzI1NiJ9.e30.{SECRET}",
        f"livekit:wss://h:99999?access_token={SECRET}",
        f"nope:{SECRET}",
        f"ws-room:wss://h:x/{SECRET}",
        f"https://h:x/{SECRET}",
        "fixed-adapter:" * 9 + SECRET,
        f"decentraland://?realm=livekit:{SECRET}",
    ],
)
def test_no_frame_of_ours_shows_a_connection_string_that_is_none(read: object, text: str) -> None:
    with pytest.raises(InvalidConnectionString) as caught:
        read(text)  # type: ignore[operator]
    assert SECRET not in frames(caught.value)


def test_what_it_came_from_is_kept_where_it_is_the_system_s() -> None:
    def fail(kind: type[Exception]) -> None:
        raise ValueError(len(SECRET)) from kind(1, "no")

    for kind, kept in ((PermissionError, True), (KeyError, False)):
        try:
            fail(kind)
        except ValueError as error:
            plain = bare(error)
        assert plain.__traceback__ is plain.__context__ is None
        assert (type(plain.__cause__) is kind) is kept
        assert plain.__cause__ is None or plain.__cause__.__traceback__ is None


def test_only_what_is_named_is_made_bare() -> None:
    @raises_bare(ValueError)
    def read(text: str) -> str:
        """Says it."""
        if text == "a":
            raise ValueError
        if text == "b":
            raise KeyError
        return text

    assert read("c") == "c"
    assert read.__doc__ == "Says it."
    with pytest.raises(ValueError) as bared:
        read("a")
    assert [frame.f_code.co_name for frame, _ in traceback.walk_tb(bared.tb)][1:] == ["call"]
    with pytest.raises(KeyError) as other:
        read("b")
    assert [frame.f_code.co_name for frame, _ in traceback.walk_tb(other.tb)][1:] == ["call", "read"]


def test_inputs_show_nothing_that_a_server_sent() -> None:
    frame = FrameReceived(link=LinkRef(1, 1), data=SECRET.encode())
    answer = Fetched(
        link=LinkRef(1, 1),
        status=200,
        headers=(("set-cookie", SECRET),),
        body=SECRET.encode(),
        url=f"https://h/{SECRET}",
        place=Place.PUBLIC,
    )
    assert SECRET not in repr(frame) + repr(answer)


@pytest.mark.parametrize("one", [Journal(), Placeholders()])
def test_what_knows_the_secrets_behind_a_journal_is_not_pickled(one: object) -> None:
    with pytest.raises(LocalProtocolError, match="pickled"):
        pickle.dumps(one)
