"""docs/packets.md: every kind of Packet, what the explorers do with it, what we do, and the tests that say so.

What the explorers do is written here, in ``ROWS``.  What we do is done: each verb is called on a session and each kind
is given to one, and what comes out is what the page says.  ``--check`` fails where the page says something else, where
``dcl_comms_core.room.incoming.filters``'s table does not name what its judges let go, and where a test is not there.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from generated import ROOT, keep

from dcl_comms_core import MemoryRoom, MovementCodec, PeerId, RoomSession, SendData, SimulatorAdapter, codec
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.conventions import PROTOCOL_VERSION
from dcl_comms_core.proto import rfc4
from dcl_comms_core.proto._gen.tables import TABLES
from dcl_comms_core.room.incoming import filters as hearing
from dcl_comms_core.room.incoming.allowances import ALLOWANCES, OTHER
from dcl_comms_core.room.incoming.reader import KINDS as READ

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = ROOT / "docs" / "packets.md"
PEER = PeerId("0x" + "ab" * 20)
ANIMATION = b"\x6a\x02\x0a\x00"
"""Bevy's SceneDrivenAnimation in field 13: its field 1 has a length, that of a LookAtPosition is a number."""

HEAD = """# Packets

<!-- Made by .ci/tools/packets_page.py, which holds the explorers' columns; ours it finds out. -->

What the three explorers do with each kind of packet over LiveKit, as far as their public sources of August 2026 say; what we do; and the tests
(in `tests/core`) that fail when we do otherwise. *Pulse*: the service that avatar movement is moving to; while a client has it, LiveKit gets
less of it. *lossy*, *reliable*: how a packet is sent. Every packet of ours says protocol_version {version}; Unity drops those that do not, we take
any. How many of each kind a peer may send: [limits.md](limits.md).

"""


class Row(NamedTuple):
    """A kind of packet."""

    unity: str
    bevy: str
    godot: str
    tests: tuple[str, ...]
    verb: Callable[[RoomSession], Any] | None = None
    """What an application calls to send one."""


EVENTS = "test_reader.py::test_events_of_packets"
KINDS = "test_intents.py::test_what_is_lossy"
NONE = "test_reader.py::test_packets_without_an_event_of_their_own"
ROWS: dict[str, Row] = {
    "position": Row(
        "neither sends nor reads it",
        "neither sends nor reads it",
        "old code sends it; read, ordered by its index",
        (EVENTS, KINDS, "test_filters.py::test_a_position_is_ordered_by_its_number"),
    ),
    "profile_version": Row(
        "sends it on a change, every 2 s at most; reads it, fetches the profile over HTTP. With Pulse it sends its movement, emotes and versions "
        "only to peers that sent it one of these in that room",
        "sends it every 5 s, but not to peers in LiveKit",
        "sends it on joining and every 10 s; reads it, skips a version that it has",
        (
            EVENTS,
            "test_announcing.py::test_a_version_is_announced_on_joining_and_every_ten_seconds",
            "test_announcing.py::test_newcomers_are_told_two_seconds_apart",
            "test_announcing.py::test_silence_is_warned_of_and_kept",
        ),
        lambda session: session.announce_profile(1),
    ),
    "profile_request": Row(
        "neither sends nor answers it",
        "sends it lossy to the peer alone, once in 10 s, where HTTP has nothing; answers, once in 10 s",
        "sends it reliably to everybody, where HTTP has nothing, and to who is new, for version 0",
        (
            EVENTS,
            "test_announcing.py::test_who_asks_for_our_profile_gets_it_and_so_does_everybody_once_in_ten_seconds",
            "test_announcing.py::test_nobody_is_asked_often_or_for_what_is_known",
        ),
        lambda session: session.request_profile(PEER),
    ),
    "profile_response": Row(
        "neither sends nor reads it",
        "sends it to everybody; takes one whose version is no older",
        "sends it on joining; takes it for the address inside it, which anybody can write",
        (
            EVENTS,
            "test_announcing.py::test_a_profile_is_its_sender_s_whatever_it_says_and_never_older_than_before",
            "test_announcing.py::test_a_request_goes_to_the_peer_alone_and_its_answer_is_known_as_one",
            "test_announcing.py::test_what_may_be_fetched_is_what_is_allowed",
        ),
    ),
    "chat": Row(
        "sends it to island and scene, stamped in days since 1899; tells the same sender and stamp once, drops texts with a control picture. "
        "Private ones and communities: in a room of their own, by topic",
        "stamps it in seconds since its start; drops what is not later than the sender's last",
        "stamps it as Unity, to main and scene room; drops what is not later than the sender's last, cuts it at 200 bytes; an emote also goes "
        "out as a text with U+2410",
        (
            EVENTS,
            "test_chat.py::test_stamps_of_every_sender",
            "test_filters.py::test_a_message_is_told_once_in_all_rooms",
            "test_filters.py::test_a_text_that_is_no_chat",
            "test_filters.py::test_a_text_that_is_too_long",
            "test_filters.py::test_a_claim_is_believed_of_a_router_only",
            "test_intents.py::test_private_chat_is_a_packet_for_each_addressee_under_its_own_topic",
        ),
        lambda session: session.chat("hello"),
    ),
    "scene": Row(
        "framings 1, 2 and 3 only; drops what is beyond 13,312 bytes with its own address; to the scene's server alone where there is one",
        "framings 1 and 2; anything else is a text as a whole; sends 30,000 bytes at most, takes 300 packets a second",
        "sends and reads it; 500 a scene wait at most",
        (
            EVENTS,
            "test_scene.py::test_framings",
            "test_scene.py::test_any_bytes_have_a_framing",
            "test_filters.py::test_a_scene_s_server_speaks_for_the_scene_only",
            "test_intents.py::test_scene_messages_have_a_size_that_clients_take",
        ),
        lambda session: session.scene_message("scene", b"\x01"),
    ),
    "voice": Row("nobody listens to it", "ignores it", "ignores it", (EVENTS, KINDS)),
    "movement": Row(
        "ten a second at most, doubling to one a second while still; a jump at once. With Pulse see profile_version. Read in order of its clock",
        "only to a scene's server; ignored while it has Pulse",
        "every 0.1 s, while still every second, beside Pulse by default; reads what is later than the sender's last",
        (
            EVENTS,
            "test_cadence.py::test_the_first_is_instant_and_who_stands_still_is_heard_of_less_and_less",
            "test_cadence.py::test_never_more_than_ten_in_a_second",
            "test_fan_out.py::test_island_scene_and_sources_get_the_same_snapshots_when_the_cadence_says",
            "test_filters.py::test_a_movement_that_was_overtaken_is_let_go_and_counted",
            "test_filters.py::test_a_clock_that_goes_back_far_began_again",
            "test_reader.py::test_numbers_that_are_not_finite",
        ),
        lambda session: session.move((1.0, 0.0, 1.0)),
    ),
    "player_emote": Row(
        "without a number; drops what has an older time than the sender's last. With Pulse see profile_version",
        "only to a scene's server; reads all",
        "numbers from 1; drops what has no greater number than the last, and so every one of Unity's",
        (
            EVENTS,
            "test_intents.py::test_emotes_are_told_apart_by_number_and_by_time",
            "test_filters.py::test_emotes_are_told_apart_by_number_or_by_stamp",
            "test_filters.py::test_a_stop_is_told_each_time_by_one_room_and_not_again_by_another",
            "test_filters.py::test_no_such_urn",
        ),
        lambda session: session.emote("wave"),
    ),
    "scene_emote": Row("nobody sends it", "logs it", "logs it", (NONE,)),
    "movement_compressed": Row(
        "only where a flag says so, in a layout of its own that loses a bit",
        "ignores it",
        "not by default",
        (
            NONE,
            KINDS,
            "test_filters.py::test_a_compressed_movement_with_a_codec",
            "test_filters.py::test_time_is_unwrapped_for_each_session_of_each_peer",
            "test_filters.py::test_a_jump_is_believed_when_the_next_one_confirms_it",
            "test_filters.py::test_a_compressed_movement_of_another_map",
        ),
    ),
    "look_at_position": Row(
        "neither sends nor reads it",
        "takes it for its own message of this number",
        "ignores it",
        (NONE, KINDS, "test_filters.py::test_look_at_and_the_animation_that_has_its_number"),
    ),
    "scene_driven_animation": Row(
        "reads it as look_at_position, which nobody listens to",
        "sends it lossy, reads it",
        "reads it as look_at_position, and ignores that",
        ("test_filters.py::test_look_at_and_the_animation_that_has_its_number", "test_codec_tag13.py::test_told_apart"),
    ),
    "reaction": Row(
        "to island and scene; the same sender and time once; numbers below 4096",
        "nothing seen of it",
        "nothing seen of it",
        (
            EVENTS,
            "test_filters.py::test_reactions",
            "test_intents.py::test_reactions_are_told_apart_by_their_stamps",
        ),
        lambda session: session.react(1),
    ),
    "chat_reaction": Row(
        "taken back with the number inverted; 96 characters of message id; whom it is from is believed of the message router only",
        "nothing seen of it",
        "nothing seen of it",
        (
            EVENTS,
            "test_filters.py::test_reactions_to_a_message",
            "test_intents.py::test_reactions_to_a_message_and_taking_them_back",
        ),
        lambda session: session.react_to("0xabc:46000.5", 1),
    ),
    "none of these": Row(
        "drops it",
        "drops it",
        "drops it",
        (
            "test_reader.py::test_packets_of_no_known_kind",
            "test_reader.py::test_malformed",
            "test_reader.py::test_any_bytes_are_one_event_each_or_old_news",
        ),
    ),
}


def need(fact: object, otherwise: str) -> None:
    if not fact:
        sys.exit(otherwise)


def opened(**options: Any) -> RoomSession:
    """A session in a memory room, where PEER is too."""
    room, sessions = MemoryRoom("room"), []
    for who in ("me", PEER.text):
        session, port = RoomSession(SimulatorAdapter("room"), announce=False, **options), room.port(who)
        sessions.append((session, port))
        session.open(now=0.0)
    for now in (0.0, 1.0, 2.0, 3.0, 4.0):
        for session, port in sessions:
            for inp in port.inputs(now):
                session.receive(inp, now=now)
            for command in session.commands():
                port.execute(command, now=now)
    session = sessions[0][0]
    need(PEER in session.peers, "the two in the memory room have not met")
    return session


def sent(kind: str, verb: Callable[[RoomSession], Any]) -> str:
    """What a verb sends, found out by using it."""
    session = opened()
    called: list[str] = []

    class Spy:
        def __getattr__(self, name: str) -> Any:
            called.append(name)
            return getattr(session, name)

    verb(Spy())  # type: ignore[arg-type]  # as good as a session
    (command,) = (command for command in session.commands() if isinstance(command, SendData))
    need(codec.peek(command.data) == (kind, PROTOCOL_VERSION), f"{called} sends no {kind}")
    to = "" if command.to is None else ", to the peer alone"
    return f"`{called[0]}`, {'reliable' if command.reliable else 'lossy'}{to}"


def sends(kind: str, row: Row) -> str:
    if row.verb is not None:
        return sent(kind, row.verb)
    if kind == "profile_response":
        session = opened()
        session.offer_profile(1, "{}")
        session.commands()
        ask = rfc4.Packet(profile_request=rfc4.ProfileRequest(address=str(session.identity)))
        session.receive_data(PEER.text, codec.encode(ask), now=9.0)
        (command,) = (command for command in session.commands() if isinstance(command, SendData))
        need(
            (codec.peek(command.data).kind, command.reliable, command.to) == (kind, True, None),
            "who asks for our profile is not answered as the page says",
        )
        return "`offer_profile`: whoever asks is answered, to everybody, reliable, once in 10 s"
    if kind == "none of these":
        return "`send_bytes`: as it is"
    session = opened()
    if kind == "scene_driven_animation":
        session.send(codec.decode(ANIMATION))
    else:
        session.send(rfc4.Packet(**{kind: MESSAGES[kind]()}))
    (command,) = (command for command in session.commands() if isinstance(command, SendData))
    return f"`send(packet)` only, {'reliable' if command.reliable else 'lossy'}"


MESSAGES = {
    field.name: field.message
    for table in TABLES
    if table.cls is rfc4.Packet
    for field in table.fields
    if field.type == "message"
}


def heard(data: bytes, **options: Any) -> tuple[str, str]:
    """What a session makes of a packet: the event's name, and the kind that it tells."""
    session = opened(**options)
    session.events()
    session.receive_data(PEER.text, data, now=9.0)
    (event,) = session.events()
    return type(event).__name__, getattr(event, "kind", "")


def accepts(kind: str) -> str:
    if kind == "none of these":
        need(heard(b"\xa2\x06\x00") == ("PacketReceived", None), "an unknown kind is not told as PacketReceived")
        need(heard(b"\xff")[0] == "PacketRejected", "what is no packet is not rejected")
        return "`PacketReceived` with `kind=None`; `PacketRejected` if it is no Packet"
    if kind == "scene_driven_animation":
        need(heard(ANIMATION) == ("PacketReceived", kind), f"{kind} is not told apart")
        return f"`PacketReceived`{_rate(OTHER)}"
    data = codec.encode(rfc4.Packet(**{kind: MESSAGES[kind]()}))
    event, told = heard(data)
    need(event != "PacketReceived" or told == kind, f"{kind} is told as {told}")
    allowance, _, judge = READ.get(kind, (OTHER, None, None))
    text = f"`{event}`"
    if kind == "movement_compressed":
        with_codec = heard(data, movement_codec=MovementCodec())
        text = f"`{with_codec[0]}` with a `movement_codec`, {text} without"
        judge = hearing.judge_compressed
    dropped = reasons(judge)
    need(dropped == documented().get(kind, set()), f"{kind}: hearing.py's table does not say {dropped}")
    let_go = f"; let go: {', '.join(sorted(dropped))}" if dropped else ""
    return f"{text}{_rate(allowance)}{let_go}"


def _rate(allowance: int) -> str:
    name = ALLOWANCES[allowance]
    return f", {getattr(DEFAULT_LIMITS, name)}/s"


def reasons(judge: Any) -> set[str]:
    """What a judge lets go, by its source."""
    source = inspect.getsource(judge) if judge else ""
    found = set(re.findall(r'"(late|implausible|control|repeated|not_scene)"', source))
    return found | ({"repeated"} if "hearing.repeated(" in source else set())


def documented() -> dict[str, set[str]]:
    """What ``dcl_comms_core.room.incoming.filters``'s table says is let go, by kind."""
    found: dict[str, set[str]] = {}
    kind = ""
    for line in str(hearing.__doc__).split("\n"):
        name = line[:21].strip()
        kind = name or kind
        if kind in MESSAGES:
            found.setdefault(kind, set()).update(re.findall(r"dropped\.(\w+)", line))
    return found


def page() -> str:
    missing = MESSAGES.keys() - ROWS.keys()
    need(not missing, f"kinds without a row: {sorted(missing)}")
    numbers = {field.name: field.number for table in TABLES if table.cls is rfc4.Packet for field in table.fields}
    numbers["scene_driven_animation"] = numbers["look_at_position"]
    lines = [
        "| | packet | Unity | Bevy | Godot | we send | we tell | tests |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, row in sorted(ROWS.items(), key=lambda item: numbers.get(item[0], 99)):
        tests = "<br>".join(f"`{test}`" for test in row.tests)
        cells = (
            str(numbers.get(kind, "")),
            kind,
            row.unity,
            row.bevy,
            row.godot,
            sends(kind, row),
            accepts(kind),
            tests,
        )
        lines.append(f"| {' | '.join(cells)} |")
    foot = (
        "\nFrom a scene's server (`authoritative-server`) only scene messages are told. Movement in several rooms, and what is told once of it:\n"
        "[rooms.md](rooms.md).\n"
    )
    return HEAD.replace("{version}", str(PROTOCOL_VERSION)) + "\n".join(lines) + "\n" + foot


def collected() -> set[str]:
    """The tests that there are, without their parameters."""
    files = sorted({test.partition("::")[0] for row in ROWS.values() for test in row.tests})
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        *(str(path) for name in files for path in ROOT.glob(f"tests/core/**/{name}")),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the tests can't be collected:\n{done.stdout[-2000:]}")
    return {line.rpartition("/")[2].partition("[")[0] for line in done.stdout.splitlines() if "::" in line}


def main() -> None:
    text = page()
    absent = {test for row in ROWS.values() for test in row.tests} - collected()
    if absent:
        sys.exit(f"no such tests: {', '.join(sorted(absent))}")
    keep(PAGE, text)


if __name__ == "__main__":
    main()
