"""A journal: what was recorded runs again to the same end, whatever is in it harms nobody, and it holds no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.room import ME, STEADY, UNIX, livekit, people, wire
from rigs.core.tokens import make_token

from dcl_comms_core import (
    AccessToken,
    AuthChain,
    Chat,
    ClockSet,
    CloseReason,
    CommandCompleted,
    DatagramReceived,
    DatagramRefused,
    DatagramsClosed,
    DatagramsOpened,
    InvalidJournal,
    Journal,
    JournalProblem,
    Limits,
    LinkClosed,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    OfflineAdapter,
    Packet,
    PeerId,
    RoomSession,
    SendDatagram,
    SendQueueFull,
    SimulatorAdapter,
    TokenRefreshed,
    Track,
    TrackAppeared,
    TrackKind,
    WsRoomAdapter,
)
from dcl_comms_core.errors import EncodeError
from dcl_comms_core.journal.values import Opaque, Placeholders, read_value

LINK = LinkRef(1, 1)


def drain(session: RoomSession) -> list[Any]:
    return [*session.commands(), *session.events()]


def converse(journal: Journal | None, adapter: Any = None, **options: Any) -> list[Any]:
    """A whole life; gives all commands and events."""
    make = RoomSession if journal is None else journal.record
    args = () if journal is None else (RoomSession,)
    session: Any = make(*args, adapter or SimulatorAdapter("x"), **{"entropy": 3, "reconnect": STEADY, **options})  # type: ignore[operator]
    out = []
    session.receive(ClockSet(unix_offset=UNIX), now=0.0)
    session.open(now=1.0)
    out += drain(session)
    session.receive(LinkOpened(link=LINK, identity=ME, room="r", participants=people("alice", "bob")), now=1.5)
    session.receive(CommandCompleted(link=LINK, what="SetAttributes"), now=1.6)
    out += drain(session)
    session.chat("hi", to=(who for who in [PeerId("alice"), PeerId("bob")]), now=2.0)
    session.chat("all", to=session.peers)
    session.send(Packet(chat=Chat(message="x", timestamp=1.0)))
    session.move((1.0, -0.0, 3.0), now=2.1)
    session.receive_data("alice", wire(chat=Chat(message="hello", timestamp=5.0)), topic=ME, now=2.2)
    session.receive_data(None, b"\xff", now=2.2)
    with pytest.raises(LocalProtocolError):
        session.open(now=2.3)
    with pytest.raises(LocalProtocolError):
        session.receive(object(), now=float("nan"))
    with pytest.raises(LocalProtocolError):
        session.receive_data("alice", b"", now=float("nan"))
    out += drain(session)
    track = Track(sid="TR", kind=TrackKind.AUDIO)
    session.receive(TrackAppeared(link=LINK, identity="alice", track=track), now=2.5)
    assert session.subscribe(track, wanted=False) is True
    session.receive_acknowledged(iter([1, 2, 99]), now=2.6)
    session.receive(LinkClosed(link=LINK, reason=CloseReason.NETWORK), now=3.0)
    out += drain(session)
    deadline = session.deadline()
    assert deadline is not None
    assert session.state.value == "waiting"
    session.handle_timeout(deadline)
    session.close(now=60.0)
    session.handle_timeout(90.0)
    return [*out, *drain(session)]


def test_a_recorded_session_does_what_the_session_does_and_a_replay_too() -> None:
    journal = Journal()
    assert repr(converse(journal)) == repr(converse(None))
    replay = Journal.read(journal.text()).replay()
    assert replay.identical
    assert (replay.steps, replay.skipped) == (19, 1)
    assert str(replay) == "identical: 19 steps"


def edited(text: str, find: str, replace: str) -> str:
    assert find in text
    return text.replace(find, replace, 1)


@pytest.mark.parametrize(
    ("find", "replace", "line"),
    [
        ('"text": "hello"', '"text": "hullo"', 'events[0] ChatReceived.text: expected "hullo", came "hello"'),
        ('"$": "RoomOpened"', '"$": "RoomShut"', "events[0]: expected RoomShut("),
        ('"raised": "LocalProtocolError"', '"raised": "KeyError"', 'raised: expected "KeyError", came "LocalProt'),
        ('"deadline": 21.0', '"deadline": 22.0', "deadline: expected 22.0, came 21.0"),
        ('"returned": true', '"returned": 1', "returned: expected 1, came true"),
        (', "deadline": 2.5', "", "deadline: expected nothing, came 2.5"),
        ('"name": "CONNECT"}', '"name": "X"}', "timer: expected Timer.X, came Timer.CONNECT"),
        ('"commands": [', '"commands": [3, ', "commands[0]: expected 3, came OpenLink("),
        ('"open", "args": []', '"open", "args": [1]', 'raised: expected nothing, came "TypeError"'),
    ],
)
def test_a_difference_says_where_and_what(find: str, replace: str, line: str) -> None:
    journal = Journal()
    converse(journal)
    replay = Journal.read(edited(journal.text(), find, replace)).replay()
    assert replay.difference is not None
    assert not replay.identical
    assert any(one.startswith(line) for one in replay.difference.lines), str(replay)
    assert str(replay).startswith(f"step {replay.difference.step} (line {replay.difference.step + 1}): ")


def test_long_values_are_shown_around_what_differs() -> None:
    journal = Journal()
    session = journal.record(RoomSession, SimulatorAdapter("x"), announce=False)
    session.open(now=0.0)
    session.receive(LinkOpened(link=LINK, identity="me", room="r"), now=0.0)
    session.receive_data("alice", wire(chat=Chat(message="x" * 1000 + "end", timestamp=5.0)), now=1.0)
    replay = Journal.read(edited(journal.text(), "xxend", "xyend")).replay()
    assert replay.difference is not None
    assert replay.difference.lines == (
        f'events[0] ChatReceived.text: expected ...{"x" * 24}yend", came ...{"x" * 25}end"',
    )
    assert replay.difference.call == (
        'receive_data("alice", {"$bytes": "' + replay.difference.call.split('"')[5] + '"}, now=1.0)'
    )
    # However much differs, a diff stays readable.
    events = "[" + ", ".join(str(number) for number in range(100)) + "]"
    text = journal.text().splitlines()
    last = json.loads(text[-1]) | {"events": json.loads(events)}
    replay = Journal.read("\n".join([*text[:-1], json.dumps(last), ""])).replay()
    assert replay.difference is not None
    assert len(replay.difference.lines) == 20


def test_it_can_go_elsewhere_as_it_is_written() -> None:
    kept, lines = Journal(), []
    converse(kept)
    sent = Journal(sink=lines.append)
    converse(sent)
    assert "".join(lines) == kept.text()
    assert sent.text() == ""


def test_one_session_of_a_known_kind() -> None:
    journal = Journal()
    with pytest.raises(LocalProtocolError, match="one of RoomSession"):
        journal.record(lambda: RoomSession(SimulatorAdapter("x")))
    journal.record(RoomSession, SimulatorAdapter("x"))
    with pytest.raises(LocalProtocolError, match="another Journal"):
        journal.record(RoomSession, SimulatorAdapter("x"))
    with pytest.raises(LocalProtocolError, match="another Journal"):
        Journal.read(journal.text()).record(RoomSession, SimulatorAdapter("x"))


def test_it_ends_at_its_limit_and_the_session_goes_on() -> None:
    whole = Journal()
    converse(whole)
    lines = whole.text().splitlines(keepends=True)
    journal = Journal(limits=Limits(journal_bytes=sum(map(len, lines[:6])) + 20))
    assert repr(converse(journal)) == repr(converse(None))
    assert journal.full
    assert journal.text() == "".join(lines[:6]) + '{"full": true}\n'
    replay = Journal.read(journal.text()).replay()
    assert (replay.identical, replay.steps) == (True, 5)


def test_what_an_application_decides_is_repeated() -> None:
    def policy(sender: PeerId, track: Track) -> bool:
        if track.sid == "3":
            raise KeyError(track.sid)
        return track.sid == "1"

    journal = Journal()
    session = journal.record(RoomSession, SimulatorAdapter("x"), subscribe=policy, announce=False)
    session.open(now=0.0)
    session.receive(LinkOpened(link=LINK, identity="me", room="r", participants=people("alice")), now=0.0)
    for sid in "12":
        session.receive(TrackAppeared(link=LINK, identity="alice", track=Track(sid=sid, kind=TrackKind.VIDEO)), now=1.0)
    with pytest.raises(KeyError):
        session.receive(TrackAppeared(link=LINK, identity="alice", track=Track(sid="3", kind=TrackKind.VIDEO)), now=1.0)
    assert journal.text().count("SubscribeTrack") == 1
    assert Journal.read(journal.text()).replay().identical
    replay = Journal.read(edited(journal.text(), '"answers": [true], ', "")).replay()
    assert "it was not asked" in str(replay)
    assert "SubscribeTrack" in str(Journal.read(edited(journal.text(), "[true]", "[false]")).replay())
    assert not Journal.read(edited(journal.text(), "[true]", "5")).replay().identical


# --- secrets


def test_no_secret_in_it_and_the_same_length() -> None:
    adapter = livekit(metadata="m")
    token = adapter.token.reveal()
    head, _, signature = token.rpartition(".")
    journal = Journal()
    session = journal.record(RoomSession, adapter, announce=False)
    session.receive(ClockSet(unix_offset=UNIX), now=0.0)
    session.open(now=0.0)
    session.receive(LinkOpened(link=LINK, identity=ME, room="r", participants=people(signature)), now=0.0)
    other, newer = make_token(identity="other"), make_token(identity="newer")
    session.receive(TokenRefreshed(link=LINK, token=AccessToken(newer)), now=0.0)
    session.receive_data("alice", wire(chat=Chat(message=f"my token is {other}, {signature}", timestamp=1.0)), now=0.0)
    session.chat(f"yours is {token}", now=0.0)
    text = journal.text()
    assert signature not in text
    assert other.rpartition(".")[2] not in text
    assert newer.rpartition(".")[2] not in text
    header = json.loads(text.splitlines()[0])
    written = read_value(header["args"][0])
    assert written.token.claims == adapter.token.claims
    assert written.token.reveal() == head + "." + "A" * len(signature)
    commands = session.commands()
    assert commands[0].adapter.token.reveal() == token  # the transport gets the real one
    *_, chat = (json.loads(line) for line in text.splitlines())
    assert len(read_value(chat["commands"][0]["data"])) == len(commands[-1].data)
    assert Journal.read(text).replay().identical
    for value in (session, journal):
        assert signature not in repr(value)


def test_placeholders() -> None:
    places = Placeholders()
    chain = AuthChain.from_json(
        json.dumps([
            {"type": "SIGNER", "payload": ME},
            {"type": "ECDSA_SIGNED_ENTITY", "payload": "p", "signature": "0x" + "12" * 65},
        ])
    )  # fmt: skip
    written = places.write(chain)
    assert read_value(written) == AuthChain.from_json(chain.to_json().replace("12" * 65, "00" * 65))
    assert places.data(chain.to_json().encode()) == chain.to_json().replace("12" * 65, "00" * 65).encode()
    secret = WsRoomAdapter("wss://h/room?key=abc")
    assert read_value(places.write(secret)) == WsRoomAdapter("wss://h/room?xxxxxxx")
    places.learn("short", "xxxxx")
    assert places.text("short") == "short"
    assert places.text("é.ey") == "é.ey"


def test_datagrams_come_back_and_of_ours_only_the_length_is_written() -> None:
    write = Placeholders().write
    came = (
        DatagramsOpened(link=LINK),
        DatagramReceived(link=LINK, data=b"\x00\xff"),
        DatagramRefused(link=LINK, detail="nobody listens"),
        DatagramsClosed(link=LINK, reason=CloseReason.NETWORK, detail="gone"),
    )
    assert read_value(write(came)) == came
    document: Any = write(SendDatagram(link=LINK, data=b"half of a signature"))
    assert read_value(document["data"]) == bytes(19)
    assert read_value(document) == SendDatagram(link=LINK, data=bytes(19))  # commands come back too


def test_values_come_back() -> None:
    places = Placeholders()
    for value in (None, True, 3, 1.5, "é\ud800", b"\0", (1, (2, "x")), OfflineAdapter("off"), CloseReason.TLS, PeerId("A"),
                  LINK, Limits(), people("a")[0], Packet(chat=Chat(message="x")), {"a": (1,)}, float("inf")):  # fmt: skip
        document = json.loads(json.dumps(places.write(value)))
        assert read_value(document) == value
        assert places.write(read_value(document)) == places.write(value)
    assert repr(read_value(places.write(float("nan")))) == "nan"
    assert places.write({"b"}) == ["b"]
    assert places.write(bytearray(b"x")) == places.write(memoryview(b"x")) == places.write(b"x")
    two = Packet(chat=Chat(message="x"))
    two.chat = 5  # type: ignore[assignment]  # the mistake
    for value in (object(), 1 << 64, Limits, two):
        assert isinstance(read_value(places.write(value)), Opaque)


# --- files from anywhere


@given(st.text(alphabet="ey.xwA-", max_size=60) | st.text(max_size=40))
def test_writing_again_changes_nothing(text: str) -> None:
    places = Placeholders()
    once = places.text(text)
    assert places.text(once) == once
    assert len(once) == len(text)
    assert places.data(text.encode(errors="surrogatepass")) == once.encode(errors="surrogatepass")


@pytest.mark.parametrize("piece", ["ey", "eyJ.", "eyJeyJey.ab.", "a.", "ey-_"])
def test_looking_for_tokens_takes_time_in_proportion(piece: str) -> None:
    Placeholders().text(piece * (1_000_000 // len(piece)))  # quadratic would be minutes, and the test's end


def test_what_is_no_journal() -> None:
    header = Journal()
    header.record(RoomSession, SimulatorAdapter("x"))
    good = header.text()
    for text, problem, line in (
        ("", JournalProblem.NOT_A_JOURNAL, 0),
        ("[]\n", JournalProblem.NOT_A_JOURNAL, 0),
        ("{}\n", JournalProblem.NOT_A_JOURNAL, 0),
        (good.strip(), JournalProblem.NOT_A_JOURNAL, 0),
        ("[" * 100_000 + "\n", JournalProblem.NOT_A_JOURNAL, 0),
        (edited(good, "1", "2"), JournalProblem.OTHER_VERSION, 1),
        (edited(good, "RoomSession", "dict"), JournalProblem.BAD_SESSION, 1),
        (edited(good, '"RoomSession"', "[]"), JournalProblem.BAD_SESSION, 1),
        (edited(good, '"args"', '"arms"'), JournalProblem.BAD_SESSION, 1),
        (edited(good, "simulator:", "nothing:"), JournalProblem.BAD_SESSION, 1),
        (good + "[]\n", JournalProblem.BAD_LINE, 2),
        (good + '{"call": 5}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "open", "named": 3}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "__init__"}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "events"}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "adapter"}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "open", "args": 5}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "open", "args": [{"$new": 5}]}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "open", "args": [{"$bytes": "?"}]}\n', JournalProblem.BAD_LINE, 2),
        (good + '{"call": "receive", "args": [{"$": "LinkRef", "no": 1}]}\n', JournalProblem.BAD_LINE, 2),
    ):
        with pytest.raises(InvalidJournal) as caught:
            Journal.read(text).replay()
        assert (caught.value.problem, caught.value.line) == (problem, line), text[:80]
    with pytest.raises(InvalidJournal, match="journal_bytes"):
        Journal.read(good, limits=Limits(journal_bytes=len(good) - 1))
    # Whoever wrote it died in the middle of the last line.
    assert Journal.read(good + '{"call": "op').replay().identical


WHOLE = Journal()
converse(WHOLE)
PIECES = [
    "[",
    "]",
    "{",
    "}",
    ",",
    '"',
    "1e999",
    "-1",
    "null",
    "9" * 5000,
    '{"$": "PeerId"}',
    '{"$float": "nan"}',
    "\\ud800",
]


@settings(max_examples=300)
@given(st.data())
def test_a_hostile_file_harms_nobody(data: st.DataObject) -> None:
    text = WHOLE.text()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        if data.draw(st.booleans()):
            # A whole value becomes another one.
            spots = [at for at in range(start, min(start + 400, len(text))) if text[at] in ":,"]
            start = spots[0] + 1 if spots else start
            end = min((at for mark in ",}]" if (at := text.find(mark, start)) >= 0), default=len(text))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=6)) + text[end:]
    try:
        str(Journal.read(text).replay())
    except InvalidJournal as error:
        assert str(error)


def test_a_call_that_could_not_be_written_down_is_skipped() -> None:
    journal = Journal()
    session = journal.record(RoomSession, SimulatorAdapter("x"), limits=Limits(send_queue=0), announce=False)
    session.open(now=0.0)
    session.receive(LinkOpened(link=LINK, identity="me", room="r"), now=0.0)
    bad = Packet(chat=Chat(message="x"))
    bad.chat = 5  # type: ignore[assignment]  # the mistake
    with pytest.raises(EncodeError):
        session.send(bad)
    with pytest.raises(SendQueueFull):
        for _ in range(100):
            session.chat("x")
    replay = Journal.read(journal.text()).replay()
    assert (replay.identical, replay.skipped) == (True, 1)


def test_recording_costs_nothing_that_grows() -> None:
    journal = Journal(limits=Limits(journal_bytes=100_000))
    session = journal.record(RoomSession, SimulatorAdapter("x"))
    for number in range(2_000):
        session.handle_timeout(float(number))
    assert len(journal.text()) <= 100_000
