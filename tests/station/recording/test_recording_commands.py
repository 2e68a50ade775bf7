"""``record``, ``tail FILE``, ``export`` and ``recover``, as one types them."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import stat
import sys

import pytest
from dcl_comms_station.exits import Exit
from dcl_comms_station.loops import LOOPS
from dcl_comms_station.recording import Noted, Received, open_recording
from rigs.station.files import ADA, BOB, came, chat, chat_bytes, moved, opened, written

from dcl_comms_core import SendData
from dcl_comms_core.inputs import LinkRef

OURS = SendData(link=LinkRef(1, 1), token=1, data=chat_bytes("mine"), to=(ADA.text,), reliable=True)
EVENING = [
    *opened(0.0),
    *came(1.0),
    *chat(1.5, "hello, =1+1"),
    *moved(2.0, 1.0, 2.0),
    (2.5, ("sent", ("island", OURS), {})),
    (
        2.6,
        (
            "received",
            ("island", None, b"\xff\xff"),
            {"reliable": True, "topic": "t", "private": True, "verdict": "rejected:malformed@0"},
        ),
    ),
    *chat(3.0, "bye\nnow", BOB),
]


@pytest.fixture
def evening(tmp_path):
    path = tmp_path / "evening.mcap"
    path.write_bytes(written(EVENING))
    return path


@pytest.mark.parametrize("loop", sorted(LOOPS))
def test_a_room_is_recorded(loop, memory_room, run_cli, companion, tmp_path):
    path = tmp_path / "room.mcap"
    companion(memory_room("bob"), lambda room, _: room.chat("hello"))
    result = run_cli("record", memory_room("alice"), str(path), "--seconds", "1.5", "--loop", loop)
    assert result.exit_code == Exit.OK, result.stderr
    assert result.stdout == ""
    assert f"{path}: " in result.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with open_recording(path) as recorded:
        seen = list(recorded.observations())
    assert recorded.about["target"].startswith("simulator:")
    assert b"hello" in b"".join(one.data for one in seen if isinstance(one, Received))
    assert any("round_trip" in one.values for one in seen if isinstance(one, Noted))
    shown = run_cli("tail", str(path), "--json", "--only", "chat_received")
    assert [json.loads(line)["text"] for line in shown.stdout.splitlines()] == ["hello"]
    again = run_cli("record", memory_room("alice"), str(path))
    assert again.exit_code == Exit.USAGE
    assert "is there already" in again.stderr


def test_where_nobody_lets_us_in_there_is_no_file(run_cli, tmp_path):
    path = tmp_path / "none.mcap"
    result = run_cli("record", "http://127.0.0.1:9", str(path), "--timeout", "2")
    assert result.exit_code == Exit.NETWORK
    assert list(tmp_path.iterdir()) == []


def test_a_signal_ends_it_and_the_file_is_whole(memory_room, start_process, tmp_path):
    path = tmp_path / "room.mcap"
    process = start_process("record", memory_room("alice"), str(path))
    part = tmp_path / "room.mcap.part"
    while not (part.exists() and part.stat().st_size):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=40)
    assert process.returncode == 143
    assert f"{path}: " in said
    with open_recording(path) as recorded:
        assert recorded.whole


def test_tail_shows_a_recording(run_cli, evening):
    lines = run_cli("tail", str(evening)).stdout.splitlines()
    assert len(lines) == 5
    assert "hello, =1+1" in lines[2]
    assert len(run_cli("tail", str(evening), "--count", "2").stdout.splitlines()) == 2
    assert len(run_cli("tail", str(evening), "--seconds", "1").stdout.splitlines()) == 2
    filtered = run_cli("tail", str(evening), "--filter", "text:hello").stdout.splitlines()
    assert len(filtered) == 1
    raw = [json.loads(line) for line in run_cli("tail", str(evening), "--packets", "--json").stdout.splitlines()]
    assert [one["kind"] for one in raw if one["event"] == "packet_received"] == ["chat", "movement", None, "chat"]
    missing = run_cli("tail", "nowhere.mcap")
    assert missing.exit_code == Exit.USAGE
    assert "there is no file" in missing.stderr


def test_what_ends_early_is_said(run_cli, evening):
    data = evening.read_bytes()
    evening.write_bytes(data[:-300])
    for command in ("tail", "export"):
        result = run_cli(command, str(evening))
        assert result.exit_code == Exit.OK
        assert "ends early: " in result.stderr
        assert "dcl-comms recover" in result.stderr
    made = run_cli("recover", str(evening))
    assert made.exit_code == Exit.OK
    assert "ends early: " in made.stderr
    assert run_cli("tail", made.stdout.strip()).stderr == ""
    evening.write_bytes(b"nothing of the kind")
    for command in ("tail", "export", "recover"):
        result = run_cli(command, str(evening))
        assert result.exit_code == Exit.PROTOCOL
        assert "no MCAP file" in result.stderr


def test_export_as_lines_of_json(run_cli, evening):
    rows = [json.loads(line) for line in run_cli("export", str(evening), "--ndjson").stdout.splitlines()]
    assert [row["type"] for row in rows] == [
        "event",
        "event",
        *["packet", "event"] * 2,
        "packet",
        "packet",
        "packet",
        "event",
    ]
    packets = [row for row in rows if row["type"] == "packet"]
    assert [(row["dir"], row["kind"]) for row in packets] == [
        ("in", "chat"), ("in", "movement"), ("out", "chat"), ("in", None), ("in", "chat"),
    ]  # fmt: skip
    assert packets[2]["to"] == [ADA.text]
    assert packets[3]["error"] == {"offset": 2}
    assert packets[1]["position"] == [1.0, 1.0, 2.0]
    kept = run_cli("export", str(evening), "--filter", "kind:chat & dir:in").stdout.splitlines()
    assert len(kept) == 4
    assert run_cli("export", str(evening), "--filter", "(").exit_code == Exit.USAGE


def test_export_as_a_table_in_which_no_word_of_a_peer_is_a_formula(run_cli, evening):
    out = run_cli("export", str(evening), "--csv").stdout
    table = list(csv.DictReader(io.StringIO(out)))
    assert [row["text"] for row in table if row["event"] == "chat_received"] == ["hello, =1+1", "bye now"]
    assert [(row["x"], row["z"]) for row in table if row["kind"] == "movement" and row["type"] == "packet"] == [
        ("1.0", "2.0")
    ]
    assert len(out.splitlines()) == len(table) + 1


def test_redacted_nobody_is_known(run_cli, evening):
    for form in ("--ndjson", "--csv"):
        out = run_cli("export", str(evening), form, "--redact").stdout
        for word in (ADA.text, BOB.text, "hello", "bye", "mine"):
            assert word.lower() not in out.lower()
        assert "person-1" in out
        assert "text-" in out
    rows = [json.loads(line) for line in run_cli("export", str(evening), "--redact").stdout.splitlines()]
    senders = [row["sender"] for row in rows if row.get("kind") == "chat" and row["dir"] == "in"]
    assert len(set(senders)) == 2
    assert [row["sender"] for row in rows if row.get("event") == "chat_received"] == senders


def test_without_the_extra_it_is_said(run_process, evening, tmp_path):
    program = tmp_path / "without.py"
    program.write_text(
        "import sys\nsys.modules['mcap'] = sys.modules['mcap.writer'] = sys.modules['zstandard'] = None\n"
        "from dcl_comms_station.entry import main\nsys.exit(main())\n"
    )
    for command in (
        ["tail", str(evening)],
        ["record", "simulator:x", str(tmp_path / "x.mcap")],
        ["recover", str(evening)],
    ):
        result = run_process(*command, command=[sys.executable, os.fspath(program)])
        assert result.returncode == Exit.USAGE
        assert 'pip install "dcl-comms[station]"' in result.stderr
