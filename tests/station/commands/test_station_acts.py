"""``dcl-comms emote`` and ``dcl-comms react``: what others get of them, on both loops, and what is refused."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.exits import Exit
from dcl_comms_station.loops import LOOPS
from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token

from dcl_comms_core import Emotes

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
OWN = "urn:decentraland:matic:collections-v2:0x" + "ab" * 20 + ":0"


@BOTH_LOOPS
@pytest.mark.parametrize(("name", "urn"), [("wave", Emotes.WAVE), ("Raise-Hand", Emotes.RAISE_HAND), (OWN, OWN)])
def test_an_emote_of_a_room(run_cli, memory_room, companion, loop, name, urn):
    other = companion(memory_room("other"))
    result = run_cli("emote", memory_room("me"), name, "--loop", loop)
    assert (result.exit_code, result.stdout, result.stderr) == (Exit.OK, "", "dcl-comms: sent to 1: other\n")
    event = other.await_emote()
    assert (event.sender.text, event.urn, event.stopping) == ("me", urn, False)


def test_the_end_of_an_emote(run_cli, memory_room, companion):
    other = companion(memory_room("other"))
    assert run_cli("emote", memory_room("me"), "dance", "--stop").exit_code == Exit.OK
    assert other.await_emote().stopping


@BOTH_LOOPS
def test_a_reaction_in_a_room(run_cli, memory_room, companion, loop):
    other = companion(memory_room("other"))
    result = run_cli("react", memory_room("me"), "3", "--count", "10", "--loop", loop)
    assert (result.exit_code, result.stdout, result.stderr) == (Exit.OK, "", "dcl-comms: sent to 1: other\n")
    event = other.await_reaction()
    assert (event.sender.text, event.emoji_index, event.count) == ("me", 3, 10)


def test_those_around_us_in_a_realm(run_process, dcl_realm, companion):
    other = companion(dcl_realm.url, wallet=DisposableWallet(), position=(8.0, 0.0, 8.0))
    for words in (["emote", "clap"], ["react", "7"]):
        result = run_process(*words, "--at", "8,0,8", env={"DCL_COMMS_TARGET": dcl_realm.url})
        assert (result.returncode, result.stderr) == (Exit.OK, f"dcl-comms: sent to 1: {other.name}\n")
    assert other.await_emote().urn == Emotes.CLAP
    assert other.await_reaction().emoji_index == 7


def test_nobody_is_there(run_cli, memory_room):
    for words in (["emote", memory_room("me"), "wave"], ["react", memory_room("me"), "0"]):
        result = run_cli(*words)
        assert (result.exit_code, result.stderr) == (Exit.OK, "dcl-comms: sent, but nobody was there\n")


def test_the_catalogue(run_cli):
    result = run_cli("emote", "--list")
    assert (result.exit_code, result.stderr) == (Exit.OK, "")
    assert [line.split() for line in result.stdout.splitlines()] == [[one.rpartition(":")[2], one] for one in Emotes]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["emote"], "which emote?"),
        (["emote", "simulator:x", "wavve"], "did you mean 'wave'?"),
        (["emote", "simulator:x"], "NAME is missing"),
        (["emote", "a", "b", "wave"], "one TARGET and one NAME"),
        (["emote", "simulator:x", "urn:a b"], "blanks"),
        (["emote", "simulator:x", "urn:" + "x" * 300], "urn_chars"),
        (["emote", "--list", "wave"], "--list takes neither"),
        (["react"], "Missing argument"),
        (["react", "simulator:x"], "with which emoji?"),
        (["react", "simulator:x", "4096"], "0<=x<=4095"),
        (["react", "a", "b", "1"], "one TARGET and one EMOJI_INDEX"),
        (["react", "simulator:x", "1", "--count", "101"], "1<=x<=100"),
        (["react", "simulator:x", "1", "--count", "0"], "1<=x<=100"),
        (["emote", "wave"], "no target"),
        (["react", "1"], "no target"),
    ],
)
def test_what_makes_no_sense(run_cli, words, said):
    result = run_cli(*words)
    assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["emote", "react"])
def test_a_target_in_the_wrong_place_is_not_sent(run_cli, command):
    token = make_token()
    result = run_cli(command, "simulator:x", f"livekit:wss://example.com?access_token={token}")
    assert result.exit_code == Exit.USAGE
    assert_no_secret(token, result.stdout, result.stderr)
