"""The demo's own parts: the tone, the verdict, a demo that fails."""

from __future__ import annotations

import math
import re
from array import array

import pytest
from dcl_comms_station import hosting
from dcl_comms_station.demo import stage
from dcl_comms_station.demo.part import Line, Part
from dcl_comms_station.demo.script import CAST, SINGER, farewell, greeting, whisper
from dcl_comms_station.demo.transcript import Transcript
from dcl_comms_station.demo.verdict import judge, table
from dcl_comms_station.residents.tone import PITCH, RATE, Ear, tone

from dcl_comms_core import CloseReason, PeerId, Retry, RoomClosed, WorldClosed

ADA, TRO, EVE = CAST


def hear(frames, rate=RATE):
    ear = Ear()
    for frame in frames:
        pitch = ear.listen(frame, rate)
        if pitch is not None:
            return pitch
    return None


@pytest.mark.parametrize("pitch", [220.0, 440.0, 1000.0])
def test_an_ear_measures_a_tone(pitch):
    assert hear(tone(pitch)) == pytest.approx(pitch, rel=0.002)


def test_an_ear_measures_a_tone_of_which_pieces_are_left_out():
    # As a receiver does that catches up: what is left of each frame begins and ends anywhere.
    frames = [frame[: 2 * (300 + number * 37 % 150)] for number, frame in enumerate(tone())]
    assert hear(frames) == pytest.approx(440.0, rel=0.005)


def test_an_ear_hears_no_pitch_where_nothing_moves():
    loud = array("h", [20_000] * 480).tobytes()
    assert hear([loud] * 40) == 1.0


def test_a_tone_lasts_as_long_as_it_should_and_does_not_click():
    samples = array("h", b"".join(tone(seconds=0.5)))
    assert len(samples) == RATE // 2
    assert samples[0] == 0
    assert abs(samples[-1]) < 100
    assert 7_000 < max(samples) <= 8_000


def test_an_ear_ignores_silence_and_short_noise():
    silence = bytes(960)
    click = array("h", [20_000, -20_000] * 240).tobytes()
    assert hear([silence] * 100) is None
    assert hear([click] * 10 + [silence] + [click] * 10 + [b""]) is None


def test_an_ear_keeps_what_it_heard():
    ear = Ear()
    for frame in tone():
        ear.listen(frame, RATE)
    assert ear.listen(bytes(960), RATE) == ear.pitch
    assert not math.isnan(ear.pitch)


def perfect(*, sound=True):
    """Three parts that have read everything."""
    identities = {role.name: f"0x{number:040x}" for number, role in enumerate(CAST)}
    parts = [Part(role, identities, Transcript(lambda text: None), sound=sound) for role in CAST]
    for part in parts:
        for other in part.others:
            part.seen.add(other.name)
            part.read += [
                Line(other.name, greeting(other), private=False),
                Line(other.name, farewell(other), private=False),
            ]
            if other.whispers_to == part.role.name:
                part.read.append(Line(other.name, whisper(other), private=True))
        part.heard = None if part.role.name == SINGER else PITCH + 3.0
    return parts


def failing(parts, *, sound=True, **there):
    return [check.question for check in judge(parts, sound=sound, **there) if not check.passed]


def test_a_perfect_play_passes():
    assert failing(perfect()) == []
    assert failing(perfect(sound=False), sound=False) == []
    assert len(judge(perfect(), sound=True)) == len(judge(perfect(), sound=False)) + 1


def test_each_thing_that_lacks_fails():
    ada, tro, eve = parts = perfect()
    tro.read.remove(Line("Ada", greeting(ADA), private=False))
    assert failing(parts) == ["read the greetings of both others"]

    ada, tro, eve = parts = perfect()
    ada.read.remove(Line("Tro", whisper(TRO), private=True))
    assert failing(parts) == ["read the whisper that was for it"]

    ada, tro, eve = parts = perfect()
    eve.seen.clear()
    assert failing(parts) == ["read the movements of both others"]

    ada, tro, eve = parts = perfect()
    eve.heard = 300.0
    assert failing(parts) == ["heard Ada's tone of 440 Hz"]


def test_a_whisper_that_was_not_marked_as_one_is_no_whisper():
    ada, tro, eve = parts = perfect()
    tro.read.remove(Line("Ada", whisper(ADA), private=True))
    tro.read.append(Line("Ada", whisper(ADA), private=False))
    assert failing(parts) == ["read the whisper that was for it"]


@pytest.mark.parametrize("private", [False, True])
def test_a_whisper_that_went_astray_fails(private):
    ada, tro, eve = parts = perfect()
    eve.read.append(Line("Ada", whisper(ADA), private=private))
    assert failing(parts) == ["got no whisper that was for another"]


def test_discretion_is_not_proved_by_having_read_nothing():
    ada, tro, eve = parts = perfect()
    eve.read.clear()
    assert "got no whisper that was for another" in failing(parts)


def test_the_right_words_of_the_wrong_peer_do_not_count():
    ada, tro, eve = parts = perfect()
    tro.read.remove(Line("Ada", greeting(ADA), private=False))
    tro.read.append(Line("Eve", greeting(ADA), private=False))
    assert failing(parts) == ["read the greetings of both others"]


def test_the_table_shows_who_failed():
    ada, tro, eve = parts = perfect()
    eve.seen.clear()
    lines = table(parts, judge(parts, sound=True))
    assert lines[0].split() == ["Ada", "Tro", "Eve"]
    assert [text.split()[-3:] for text in lines if "movements" in text] == [["yes", "yes", "NO"]]
    assert [text.split()[-3:] for text in lines if "whisper that was for it" in text] == [["yes", "yes", "-"]]


# --- the stage


def perform(**options):
    lines = []
    passed = stage.perform(memory=True, write=lines.append, **options)
    return passed, "\n".join(lines)


def test_a_demo_passes():
    passed, text = perform(seconds=30.0)
    assert passed, text
    assert text.endswith("All is well.")


def test_a_demo_without_time_fails_and_ends():
    passed, text = perform(seconds=0.02)
    assert not passed
    assert "The curtain falls" in text
    assert text.endswith("Something is wrong: see above.")


def test_a_player_that_breaks_fails_the_demo(monkeypatch):
    def broken(ticket, part, curtain):
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [RuntimeError("bro\x1bken")])])

    monkeypatch.setitem(stage.PLAYERS, "Eve", broken)
    passed, text = perform(seconds=1.0)
    assert not passed
    assert "fails: RuntimeError: broken" in text


def test_a_peer_that_overhears_fails_the_demo(monkeypatch):
    """Whispers that go to everybody: what an empty list of addressees means in LiveKit's own interface."""
    say = Part.say

    def loud(self, room, text, to=None):
        say(self, room, text)

    monkeypatch.setattr(Part, "say", loud)
    passed, text = perform(seconds=2.0)
    assert not passed
    rows = {line[:35].strip(): line.split()[-3:] for line in text.splitlines()}
    assert rows["got no whisper that was for another"][2] == "NO"


def test_a_part_does_not_take_a_stranger_for_a_colleague():
    part = perfect()[0]
    assert part.name_of(PeerId("0x" + "f" * 40)) == "somebody"


def test_without_a_livekit_server_the_islands_are_ws_rooms(monkeypatch, capsys):
    from dcl_comms_drivers.realm.livekit_server import ServerProblem, ServerUnavailable

    def unavailable(**_how):
        raise ServerUnavailable(ServerProblem.NO_GO, "install Go")

    monkeypatch.setattr(hosting.LiveKitServer, "start", unavailable)
    monkeypatch.setattr(hosting, "has_rooms", lambda: False)
    lines = []
    assert stage.perform(memory=False, seconds=30.0, write=lines.append), lines
    shown = capsys.readouterr()
    assert len(shown.err.splitlines()) == 1
    assert "needs Go" in shown.err
    text = "\n".join(lines)
    assert "its rooms are ws-rooms" in lines[0]
    assert "the whispers are left out" in lines[2]
    assert re.match(r"Its Pulse is at 127\.0\.0\.1:[0-9]+: ", lines[1])
    for role in CAST:
        assert f"{role.name}  is in the realm" in text
        assert f"{role.name}  is on Pulse" in text
        for other in CAST:
            assert other is role or re.search(rf"{role.name}  sees {other.name} at .*, by Pulse", text)
    islands = re.findall(r"Eve  is on island (island-C\d) \(ws-room\)", text)
    assert (len(islands), len(set(islands))) == (2, 2)
    assert "Psst" not in text
    answers = {line[:36].rstrip(): line.split()[-3:] for line in lines}
    assert answers["is on the island of both others"] == ["yes"] * 3
    assert answers["came there from another one, on foot"] == ["-", "-", "yes"]
    assert answers["was told of them by Pulse"] == ["yes"] * 3
    assert answers["read them in the island's room"] == ["yes"] * 3
    assert not any(line.startswith("got no whisper") for line in lines)


def in_a_realm():
    """Three parts that have read everything, and came together as they should."""
    parts = perfect()
    for part in parts:
        part.islands = ["C1"] if part.role.start is None else ["C2", "C1"]
        part.by_pulse = {other.name for other in part.others}
        part.talked_in = {"island"}
    return parts


def test_those_on_another_island_fail():
    assert "is on the island of both others" in failing(perfect(), islands=True)
    parts = in_a_realm()
    assert failing(parts, islands=True) == []
    parts[2].islands.append("C2")
    assert failing(parts, islands=True) == ["is on the island of both others"]


def test_islands_that_do_not_change_and_ways_that_are_not_the_realms_fail():
    parts = in_a_realm()
    parts[2].islands = ["C1"]
    assert failing(parts, islands=True) == ["came there from another one, on foot"]
    parts = in_a_realm()
    parts[0].by_pulse.remove("Eve")
    assert failing(parts, islands=True) == ["was told of them by Pulse"]
    parts = in_a_realm()
    parts[1].talked_in.add("pulse")
    assert failing(parts, islands=True) == ["read them in the island's room"]


def test_where_there_are_no_whispers_none_is_asked_for():
    parts = perfect()
    for part in parts:
        part.read = [line for line in part.read if not line.private]
    assert len(failing(parts)) == 1
    assert failing(parts, whispers=False) == []


def test_the_end_of_a_realm_ends_a_part_and_that_of_an_islands_room_does_not():
    lines = []
    part = Part(ADA, {role.name: role.name for role in CAST}, Transcript(lines.append), sound=False)
    over = {"at": 1.0, "reason": CloseReason.BANNED, "retry": Retry.NEVER, "detail": "go\x1b away"}
    for room in ("island", "pulse"):
        part.take(RoomClosed(room=room, **over), None)
    assert not part.done
    part.take(WorldClosed(room="", **over), None)
    assert part.done
    assert lines[-1].endswith("is out: banned go away")
