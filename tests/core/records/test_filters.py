"""Filters over events: what they pass, how they read, what they cost at most."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.any_events import ANY_EVENT

from dcl_comms_core import (
    Chat,
    ChatReceived,
    InvalidFilter,
    Movement,
    MovementKind,
    Packet,
    PacketReceived,
    PacketRejected,
    PeerId,
    PeerJoined,
    PeerMoved,
    PeerUpdated,
    RejectReason,
    RoomClosed,
    Vector3,
    encode,
    event_name,
)
from dcl_comms_core.records.filters import Context, Filter
from dcl_comms_core.records.filters.parser import MOST_CHARS, MOST_TERMS, parse
from dcl_comms_core.records.filters.patterns import MOST_PATTERN, Pattern
from dcl_comms_core.records.filters.tree import And, Not, Or, Term, Word, write
from dcl_comms_core.states import CloseReason, Retry
from dcl_comms_core.tools.labels import Label

NOON = 1_800_014_400.0  # 2027-01-15 12:00:00 UTC
ROOM = Label.of("island", NOON)
ALICE = PeerId("0x7c60EAC5")
CHAT = ChatReceived(
    at=10.0, room=ROOM, sender=ALICE, private=True, text="Hello there", sent_at=None, timestamp=5.0, forwarded_from=None,
    size=40,
)  # fmt: skip
MOVED = PeerMoved(
    at=70.0, room="scene", sender=PeerId("bob"), private=False, position=Vector3(8.0, 1.5, 24.0),
    velocity=Vector3(0.0, 0.0, 2.0), yaw=90.0, kind=MovementKind.MOVEMENT, message=Movement(jump_count=3, is_grounded=True),
)  # fmt: skip
PACKET = PacketReceived(
    at=1.0, room=ROOM, sender=None, private=False, data=encode(Packet(chat=Chat(message="x"))), kind="chat",
    protocol_version=100, reliable=True, topic="news",
)  # fmt: skip
REJECTED = PacketRejected(at=1.0, room=ROOM, sender=ALICE, private=False, reason=RejectReason.MALFORMED, offset=7)
CLOSED = RoomClosed(at=1.0, room="scene", reason=CloseReason.BANNED, retry=Retry.NEVER, detail="go away")
UPDATED = PeerUpdated(at=1.0, room=ROOM, sender=ALICE, name="Al", metadata="", attributes={"hat": "red"})
ALL = {"chat": CHAT, "moved": MOVED, "packet": PACKET, "rejected": REJECTED, "closed": CLOSED, "updated": UPDATED}
CONTEXT = Context(me=lambda: PeerId("BOB"), where=lambda: (0.0, 0.0, 0.0), now=lambda: NOON + 75.0, utc_offset=3_600.0)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("kind:chat", "chat packet"),
        ("kind=chat_received", "chat"),
        ("kind!=chat_received", "moved packet rejected closed updated"),
        ("kind~^p.*d$", "moved packet rejected updated"),
        ("peer:0x7C6*", "chat rejected updated"),
        ("peer:bob", "moved"),
        ("peer!=bob", "chat packet rejected closed updated"),
        ("peer~^0x", "chat rejected updated"),
        ("me", "moved"),
        ("dir:in", "chat moved packet rejected closed updated"),
        ("dir=out", ""),
        ("room:scene", "moved closed"),
        ("private", "chat"),
        ("private:false", "moved packet rejected"),
        ("private:maybe", ""),
        ("reliable", "packet"),
        ("lossy", ""),
        ('topic:"new"', "packet"),
        ("size>30", "chat"),
        ("size<=40 & size>=40", "chat"),
        ("size<1", "moved packet rejected"),
        ("size=40", "chat"),
        ("verdict:told", "chat moved packet closed updated"),
        ('verdict~"^rejected:mal.*@7$"', "rejected"),
        ("verdict!=told", "rejected"),
        ("rejected", "rejected"),
        ("marked", ""),
        ("text:HELLO", "chat"),
        ("text:red | text:go", "closed"),
        ('text="hello there"', "chat"),
        ('text!="hello there"', "moved packet rejected closed updated"),
        ("hello", "chat"),
        ("PEER", "moved updated"),
        ('"private"', ""),
        ("chat.text~there$", "chat"),
        ("chat_received.text:hello", "chat"),
        ("movement.position.y>1", "moved"),
        ("movement.jump_count=3", "moved"),
        ("movement.is_grounded:yes", "moved"),
        ("position.x>=8", "moved"),
        ("yaw:90", "moved"),
        ("attributes.hat:red", "updated"),
        ("attributes.hat.x:red", ""),
        ("reason:banned", "closed"),
        ("sent_at:none", "chat moved packet rejected closed updated"),
        ("data:0a", "packet"),
        ("sender:0x7c", "chat rejected updated"),
        ("position:8", ""),
        ("near:30", "moved"),
        ("near:20", ""),
        ("near:8,24,0", "moved"),
        ("near:8,20,3", ""),
        ("after:13:00:10", "chat"),
        ("before:13:00:10", "packet rejected updated"),
        ("after:1:00", "chat packet rejected updated"),
        ("since:70s", "chat"),
        ("since:2m", "chat packet rejected updated"),
        ("since:0.5h", "chat packet rejected updated"),
        ("!private", "moved packet rejected closed updated"),
        ("not private", "moved packet rejected closed updated"),
        ("kind:peer & !me", "updated"),
        ("kind:peer me", "moved"),
        ("(private | me) room:scene", "moved"),
        ("private | me room:scene", "chat moved"),
        ("!(private | me)", "packet rejected closed updated"),
        ("!!private", "chat"),
        ("not", ""),
    ],
)  # fmt: skip
def test_what_passes(text, passes):
    one = Filter(text, context=CONTEXT)
    again = Filter(str(one), context=CONTEXT)
    assert [name for name, event in ALL.items() if one(event)] == passes.split()
    assert [name for name, event in ALL.items() if again(event)] == passes.split()
    assert repr(one) == f"Filter({str(one)!r})"


def test_what_nobody_knows_does_not_pass():
    for text in ("me", "near:80", "since:10s"):
        assert not Filter(text)(MOVED)
    assert not Filter("after:00:00")(MOVED)


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("", 1, "missing before the end"),
        ("a & ", 5, "missing before the end"),
        ("a | | b", 5, "missing before '|'"),
        ("(a", 1, "not closed"),
        ("a)", 2, "nothing before"),
        ("a &", 4, "missing"),
        ("!", 2, "missing"),
        ("kind:", 6, "a value is missing"),
        ("size>", 6, "a value is missing"),
        ("a size>x", 3, "with a number"),
        ("no_such:1", 1, "no field no_such"),
        ("chat:1", 1, "no field chat"),
        ('text:"abc', 6, "no end"),
        ('"a\\b"', 1, "no end"),
        (":x", 1, "field's name"),
        ("a-b:x", 4, "field's name"),
        ("near:far", 1, "metres"),
        ("near:1,2", 1, "metres"),
        ("near:inf", 1, "metres"),
        ("near=8", 1, "near takes :, not ="),
        ("after:noon", 1, "time of day"),
        ("after:24:00", 1, "time of day"),
        ("since:ever", 1, "such as 10s"),
        ("dir:up", 1, "in or out"),
        ("dir>3", 1, "dir takes"),
        ("peer>3", 1, "peer takes"),
        ("a text~(", 3, "pattern, character 2: a group that is not closed"),
        ("x" * (MOST_CHARS + 1), MOST_CHARS + 1, "characters at most"),
        (" ".join("a" * (MOST_TERMS + 1)), 2 * MOST_TERMS + 1, "terms at most"),
        ("!" * 60 + "a", 51, "within each other"),
        ("(" * 60 + "a" + ")" * 60, 51, "within each other"),
    ],
)
def test_what_is_no_filter_says_where(text, column, told):
    if text == "a text~(":
        text = 'a text~"("'
    with pytest.raises(InvalidFilter, match=re.escape(told)) as caught:
        Filter(text)
    assert caught.value.column == column
    assert str(caught.value).startswith(f"column {column}: ")


# --- reading and writing

VALUES = st.text(min_size=1, max_size=8) | st.sampled_from(["a:b", "12:51", "-3", '"', "\\", "not", "a|b", " ", "~x"])
TERMS = st.builds(
    Term,
    st.sampled_from(["kind", "chat.text", "size", "x_1.y"]),
    st.sampled_from([":", "=", "!=", ">", ">=", "<", "<=", "~"]),
    VALUES,
)
WORDS = st.builds(Word, VALUES, st.just(True)) | st.builds(Word, st.sampled_from(["a", "me", "ünï", "0x7", "a-b"]))


def joined(kind, inner):
    return st.lists(inner, min_size=2, max_size=3).map(lambda parts: kind(tuple(parts)))


TREES = st.recursive(
    TERMS | WORDS, lambda inner: st.builds(Not, inner) | joined(And, inner) | joined(Or, inner), max_leaves=8
)


@given(TREES)
@settings(max_examples=400)
def test_what_is_written_reads_as_the_same(tree):
    text = write(tree)
    if len(text) <= MOST_CHARS:
        again = parse(text)
        assert again == tree
        assert write(again) == text


@given(st.text(alphabet='ab.:=!<>~()|&" \\not0*', max_size=30))
@settings(max_examples=600)
def test_any_text_is_a_filter_or_an_error_of_its_own(text):
    try:
        one = Filter(text)
    except InvalidFilter as error:
        assert 1 <= error.column <= len(text) + 1
        return
    assert parse(str(one)) == one.expression
    one(CHAT)


TEXTS = st.sampled_from(
    ["kind:peer", "text:a", "text~a.*b", "size>3", "near:80", "at<5", "a", "position.x>0", "attributes.a:1", "peer:a*"]
)


@given(TEXTS, TEXTS, ANY_EVENT)
@settings(max_examples=400)
def test_every_event_can_be_asked_and_the_words_mean_what_they_say(one, other, event):
    first, second = Filter(one, context=CONTEXT)(event), Filter(other, context=CONTEXT)(event)
    assert Filter(f"!({one})", context=CONTEXT)(event) is not first
    assert Filter(f"{one} | {other}", context=CONTEXT)(event) is (first or second)
    assert Filter(f"{one} & {other}", context=CONTEXT)(event) is (first and second)
    assert Filter(f"kind={event_name(event)}")(event)


# --- patterns

LETTERS = st.sampled_from(
    ["a", "b", "[\\db]", ".", "[ab]", "[^a]", "[a-b]", "\\d", "\\w", "\\S", "\\.", "^", "$", "[]a]", "[a-]"]
)
PATTERNS = st.recursive(
    LETTERS,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        )
        | st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})")
    ),
    max_leaves=6,
)


@given(PATTERNS, st.lists(st.text(alphabet="ab1.\n é", max_size=6), min_size=1, max_size=4))
@settings(max_examples=600)
def test_patterns_find_what_pythons_own_find(pattern, texts):
    if len(pattern) > MOST_PATTERN:
        return
    try:
        own = Pattern(pattern)
    except InvalidFilter as error:
        assert "too much" in str(error)
        return
    python = re.compile(pattern.replace("$", "\\Z"))
    for text in texts:
        assert own.found(text) == (python.search(text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("*a", "nothing to repeat"),
        ("a|*", "nothing to repeat"),
        ("(a", "not closed"),
        ("a)", "nothing opened"),
        ("[a", "set that is not closed"),
        ("[b-a]", "ends before it begins"),
        ("[a-\\d]", "ends before it begins"),
        ("a\\", "backslash at the end"),
        ("[\\", "backslash at the end"),
        ("[a-\\", "ends before it begins"),
        ("\\q", "not known"),
        ("(?=a)", "only (?:"),
        ("a{60}", "repeats go up"),
        ("a{3,2}", "repeats go up"),
        ("a{2,99}", "repeats go up"),
        ("a]", "for the letter"),
        ("a}", "for the letter"),
        ("a{x", "nothing to repeat"),
        ("(a{50}){50}", "too much"),
        ("(" * 30 + "a" + ")" * 30, "groups within"),
        ("a" * 201, "at most"),
    ],
)
def test_what_is_no_pattern_is_told(pattern, told):
    with pytest.raises(InvalidFilter, match=re.escape(told)):
        Pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a+)+$", "(a|a)*b", "(a|aa)+$", ".*.*.*.*.*.*x", "(.*)*(.*)*!", "(a?){40}a{40}b"]
)
def test_no_pattern_goes_back(pattern, monkeypatch):
    one = Pattern(pattern)
    assert len(one.states) <= 400
    asked = 0

    def counted(closure):
        def wrapper(*args, **options):
            nonlocal asked
            asked += 1
            return closure(*args, **options)

        return wrapper

    monkeypatch.setattr(Pattern, "closure", counted(Pattern.closure))
    one.found("a" * 5_000 + "c")
    # One step for each of the characters that are looked at, whatever the pattern.
    assert asked <= 1_025


def test_a_text_is_looked_at_up_to_a_kibibyte():
    assert Pattern("b").found("a" * 1_023 + "b")
    assert not Pattern("b").found("a" * 1_024 + "b")
    assert Filter("text:b")(
        PeerUpdated(at=1.0, room="", sender=ALICE, name="a" * 1_023 + "b", metadata="", attributes={})
    )
    assert not Filter("b2")(
        PeerUpdated(at=1.0, room="", sender=ALICE, name="a" * 1_023 + "b2", metadata="", attributes={})
    )
    assert not Filter("at>5")(PeerJoined(at=float("inf"), room="", sender=ALICE))
