"""``dcl-comms chat``: on a terminal with a prompt, in a pipe line by line, on both loops, and how it ends."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
import termios
import threading
import time

import pytest
from conftest import EACH_ENGINE
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.chatting.keyboard import Reader, a_key_at_a_time
from dcl_comms_station.exits import Exit
from dcl_comms_station.loops import LOOPS, get_loop, run
from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token

from dcl_comms_core import Avatar, PeerEmoted, ReactionReceived

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))


def somebody(companion, realm, name=""):
    wallet = DisposableWallet()
    if name:
        realm.profiles[wallet.address] = Avatar(name=name)
    return companion(realm.url, wallet=wallet, position=(8.0, 0.0, 8.0))


# --- in a pipe


@BOTH_LOOPS
def test_lines_in_and_lines_out(on_pipes, dcl_realm, companion, loop):
    other = somebody(companion, dcl_realm)
    talk = on_pipes("chat", dcl_realm.url, "--at", "8,0,8", "--loop", loop)
    other.await_company(1)
    talk.until("joined as")
    talk.write("good morning")
    other.await_chat("good morning")
    other.do(lambda room: room.chat("and to you"))
    talk.until("says: and to you")
    talk.write("//x", "/emote wave", "/react 3", "/who")
    talk.process.stdin.write("bye")
    talk.process.stdin.close()
    assert talk.wait() == (Exit.OK, [])
    other.await_chat("bye")
    assert [event.text for event in other.chats] == ["good morning", "/x", "bye"]
    assert any(line.startswith(other.name.short) for line in talk.lines)
    assert "\x1b" not in "\n".join(talk.lines)
    # A pipe is not told what it said itself, nor of movements.
    assert not any("good morning" in line or "heading" in line for line in talk.lines)


@BOTH_LOOPS
def test_all_of_a_long_pipe_arrives(run_process, dcl_realm, companion, loop):
    other = somebody(companion, dcl_realm)
    said = "\n".join(f"line {number}" for number in range(100))
    result = run_process("chat", dcl_realm.url, "--at", "8,0,8", "--loop", loop, stdin=said, timeout=120)
    assert result.returncode == Exit.OK, result.stderr
    other.await_chat("line 99")


def test_nobody_hears_us(run_process):
    result = run_process("chat", "simulator:empty?identity=me", stdin="hello?\nhello?\n")
    assert (result.returncode, result.stderr) == (Exit.OK, "dcl-comms: nobody hears us: nobody is here\n")


def test_a_target_of_the_first_line_and_words_of_the_others(run_process):
    result = run_process("chat", "-", stdin="simulator:x?identity=me\nhello?\n/who\n")
    assert (result.returncode, result.stderr) == (Exit.OK, "dcl-comms: nobody hears us: nobody is here\n")
    assert "nobody else is here" in result.stdout.splitlines()


def test_it_may_listen_on_after_the_end(on_pipes, dcl_realm, companion):
    other = somebody(companion, dcl_realm)
    talk = on_pipes("chat", dcl_realm.url, "--at", "8,0,8", "--stay", "300")
    other.await_company(1)
    talk.until("joined as")
    talk.write("!help")
    talk.process.stdin.close()
    other.await_chat("!help")
    other.do(lambda room: room.chat("I know nothing"))
    talk.until("says: I know nothing")
    talk.process.send_signal(signal.SIGTERM)
    assert talk.wait() == (128 + signal.SIGTERM, [])


def test_what_does_not_go_is_told(run_process):
    secret = make_token()
    lines = (f"look: {secret}", f"/to Ada {secret}", "/to Ada hi", "/emote wvae", "/nothing", "/quit", "not said")
    result = run_process("chat", "simulator:alone?identity=me", stdin="\n".join(lines))
    assert_no_secret(secret, result.stdout, result.stderr)
    token, private, nobody, emote, unknown = result.stderr.splitlines()
    assert result.returncode == Exit.OK
    assert "access token" in token
    assert "access token" in private
    assert "nobody here is Ada" in nobody
    assert "did you mean 'wave'" in emote
    assert "there is no /nothing" in unknown
    assert "not said" not in result.stdout + result.stderr


@EACH_ENGINE
@pytest.mark.livekit
@pytest.mark.dcl_realm(livekit=True)
def test_a_whisper_by_name(on_pipes, dcl_realm, companion):
    ada, bo = somebody(companion, dcl_realm, "Ada Lovelace"), somebody(companion, dcl_realm)
    talk = on_pipes("chat", dcl_realm.url, "--at", "8,0,8")
    ada.await_company(2)
    bo.await_company(2)
    end = time.monotonic() + 60
    while not any("Ada Lovelace" in line for line in talk.lines):
        assert time.monotonic() < end, talk.lines
        talk.write("/who")
        time.sleep(0.2)
    ada.do(lambda room: room.chat("it is me"))
    assert "(Ada Lovelace) says: it is me" in talk.until("it is me")
    talk.write('/to "ada lovelace" psst', "everybody")
    assert ada.await_chat("psst").private
    bo.await_chat("everybody")
    assert [event.text for event in bo.chats] == ["it is me", "everybody"]
    talk.write("/quit")
    assert talk.wait() == (Exit.OK, [])


@pytest.mark.dcl_realm(livekit=False)
def test_a_room_without_whispers_says_so_and_tells_nobody(on_pipes, dcl_realm, companion):
    other = somebody(companion, dcl_realm)
    talk = on_pipes("chat", dcl_realm.url, "--at", "8,0,8")
    other.await_company(1)
    talk.until("joined as")
    talk.write("first")
    other.await_chat("first")
    talk.write(f"/to {other.name} psst", "last")
    talk.process.stdin.close()
    code, errors = talk.wait()
    assert (code, len(errors)) == (Exit.OK, 1)
    other.await_chat("last")
    assert [event.text for event in other.chats] == ["first", "last"]


@BOTH_LOOPS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_a_pipe(on_pipes, loop, number):
    talk = on_pipes("chat", "simulator:x?identity=me", "--loop", loop)
    talk.until("is open")
    talk.process.send_signal(number)
    assert talk.wait() == (128 + number, [])


@BOTH_LOOPS
def test_a_room_that_ends_ends_it(on_pipes, dcl_realm, loop):
    talk = on_pipes("chat", dcl_realm.url, "--loop", loop)
    me = re.search(r"we are (0x\w+)", talk.until("room 'island"))[1]
    dcl_realm.ban(me)
    code, errors = talk.wait()
    assert (code, len(errors)) == (Exit.REFUSED, 1)


def test_standard_input_that_is_closed(run_process):
    command = ["sh", "-c", 'exec "$0" "$@" <&-', sys.executable, "-m", "dcl_comms_station"]
    result = run_process("chat", "simulator:x?identity=me", command=command)
    assert (result.returncode, len(result.stderr.splitlines())) == (Exit.USAGE, 1)


# --- on a terminal


@BOTH_LOOPS
def test_a_prompt_that_nothing_tears(on_terminal, dcl_realm, companion, loop):
    other = somebody(companion, dcl_realm)
    terminal = on_terminal("chat", dcl_realm.url, "--at", "8,0,8", "--loop", loop)
    terminal.until(lambda picture: picture.lines[-1].startswith("> "))
    other.await_company(1)
    terminal.until_line("joined as")
    terminal.type("good mroning\x7f\x7f\x7f\x7f\x7f\x7f")
    terminal.until(lambda picture: picture.lines[-1] == "> good m")
    other.do(lambda room: room.chat("are you there?"))
    terminal.until_line("says: are you there?")
    # What was typed stands below it, whole, and the cursor where it was.
    picture = terminal.picture
    assert (picture.lines[-1], picture.row, picture.column) == ("> good m", len(picture.lines) - 1, 8)
    other.do(lambda room: room.walk_to([(8.0, 0.0, 8.0), (80.0, 0.0, 8.0)] * 50))
    terminal.until(lambda picture: re.match(r"1 moves, \d+/s", picture.lines[-2]) and picture.lines[-1] == "> good m")
    terminal.type("orning\r")
    other.await_chat("good morning")
    terminal.until(lambda picture: picture.lines[-1] == "> ")
    assert terminal.until_line("we say: good morning")
    terminal.type("/emote wave\r/react 3\r/near 500\r")
    terminal.until_line(f"{other.name.short}  at (")
    assert not any(isinstance(event, PeerEmoted | ReactionReceived) for event in other.chats)
    terminal.type("\x04")
    assert terminal.wait() == (Exit.OK, "")
    assert terminal.picture.lines[-1] == ""
    assert not any(line.startswith("> ") for line in terminal.picture.lines)
    assert terminal.modes == terminal.before


@BOTH_LOOPS
@pytest.mark.parametrize("how", ["key", "SIGTERM"])
def test_interrupted_at_the_prompt(on_terminal, dcl_realm, companion, loop, how):
    other = somebody(companion, dcl_realm)
    terminal = on_terminal("chat", dcl_realm.url, "--at", "8,0,8", "--loop", loop)
    other.await_company(1)
    terminal.until_line("joined as")
    terminal.type("half a line")
    terminal.until(lambda picture: picture.lines[-1] == "> half a line")
    if how == "key":
        terminal.type("\x03")
    else:
        terminal.process.send_signal(signal.SIGTERM)
    assert terminal.wait() == (Exit.INTERRUPTED if how == "key" else 128 + signal.SIGTERM, "")
    assert terminal.modes == terminal.before
    # The room was left, and nothing of the half line was said.
    end = time.monotonic() + 40
    while other.company:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert other.chats == []


def test_a_token_that_was_pasted_is_not_sent(on_terminal):
    secret = make_token()
    terminal = on_terminal("chat", "simulator:x?identity=me", columns=60)
    terminal.until(lambda picture: picture.lines[-1].startswith("> "))
    terminal.type(f"{secret}\r/quit\r")
    assert terminal.wait() == (Exit.OK, "")
    assert any("nothing was sent" in line for line in terminal.picture.lines)
    assert not any("we say" in line for line in terminal.picture.lines)


# --- what it is made of


@BOTH_LOOPS
def test_a_bell_that_was_rung_before_anybody_waited(loop):
    async def main():
        bell = get_loop(loop).bell()
        once = threading.Thread(target=bell.ring)
        once.start()
        once.join()
        await bell.wait()
        twice = threading.Thread(target=lambda: [bell.ring(), bell.ring()])
        twice.start()
        await bell.wait()
        twice.join()
        return "heard"

    assert run(get_loop(loop), lambda _: main()) == "heard"


def test_a_reader_stops_although_nothing_comes():
    readable, writable = os.pipe()
    rung = threading.Event()
    with Reader(readable, rung.set) as reader:
        assert reader.take() is None
        os.write(writable, b"one")
        assert rung.wait(40)
        assert reader.take() == b"one"
    # One piece that nobody takes, and the next that waits for that.
    rung.clear()
    with Reader(readable, rung.set) as reader:
        os.write(writable, b"two")
        assert rung.wait(40)
        os.write(writable, b"three")
    assert os.read(readable, 100) == b"three"
    os.close(readable)
    os.close(writable)


def test_a_terminal_is_as_before_even_after_a_failure():
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with pytest.raises(RuntimeError), a_key_at_a_time(slave):
        assert not termios.tcgetattr(slave)[3] & termios.ECHO
        raise RuntimeError
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
