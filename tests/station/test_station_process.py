"""The command as a process: exit codes, signals, pipes, and no token anywhere."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dcl_comms_station.exits import Exit
from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token

COMMAND = [sys.executable, "-m", "dcl_comms_station"]
WITHOUT_CLICK = "import sys; sys.modules['click'] = None; from dcl_comms_station.entry import main; sys.exit(main())"


def test_without_click_it_says_what_to_install(run_process):
    result = run_process(command=[sys.executable, "-c", WITHOUT_CLICK])
    assert result.returncode == Exit.USAGE
    assert result.stdout == ""
    assert result.stderr == 'dcl-comms: click is not installed: pip install "dcl-comms[cli]"\n'


def test_the_console_script_is_the_module(run_process):
    result = run_process("decode", "5864", command=[str(Path(sys.executable).with_name("dcl-comms"))])
    assert result.returncode == Exit.OK
    assert json.loads(result.stdout)["protocol_version"] == 100


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(start_process, loop, number, code):
    process = start_process("tail", "simulator:x?identity=me", "--json", "--loop", loop)
    assert json.loads(process.stdout.readline())["event"] == "room_opened"
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=40.0)
    assert process.returncode == code
    assert stderr == ""
    assert stdout == ""


@pytest.mark.parametrize("module", ["click", "betterproto2"])
def test_interrupted_while_all_of_it_is_imported(run_process, tmp_path, module):
    """Which takes a third of a second: Ctrl-C then ends it as at any other time."""
    (tmp_path / f"{module}.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\nraise RuntimeError\n")
    result = run_process("tail", "simulator:x", env={"PYTHONPATH": str(tmp_path)})
    assert (result.returncode, result.stdout, result.stderr) == (Exit.INTERRUPTED, "", "")


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_in_the_background_of_a_script_sigterm_ends_it_and_sigint_does_not(start_process, loop):
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND]
    process = start_process("tail", "simulator:x?identity=me", "--json", "--loop", loop, command=ignoring)
    assert json.loads(process.stdout.readline())["event"] == "room_opened"
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=40.0)
    assert (process.returncode, stderr) == (143, "")


def test_a_reader_that_has_enough(start_process):
    process = start_process("decode", "-")
    process.stdout.close()
    _, stderr = process.communicate("5864\n" * 5, timeout=20)
    assert process.returncode == Exit.OK
    assert stderr == ""


def test_a_terminal_that_lacks_characters(run_process):
    result = run_process("demo", "--memory", "--seconds", "20", env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == Exit.OK, result.stdout + result.stderr
    assert result.stdout.isascii()


EXPIRED = make_token(ttl=-100)
VALID = make_token(ttl=86_400.0)  # made when tests are collected, and they may run for long
FAILURES = {
    "expired": (f"livekit:ws://127.0.0.1:1?access_token={EXPIRED}", Exit.REFUSED),
    "no permission": (
        f"livekit:ws://127.0.0.1:1?access_token={make_token(ttl=86_400.0, room_join=False)}",
        Exit.REFUSED,
    ),
    "no such port": (f"livekit:ws://127.0.0.1:99999?access_token={VALID}", Exit.USAGE),
    "user info": (f"livekit:ws://{VALID}@127.0.0.1?access_token={VALID}", Exit.USAGE),
    "no protocol": (f"ws://127.0.0.1:1?access_token={VALID}", Exit.USAGE),
    "unknown protocol": (f"lifekit:ws://127.0.0.1:1?access_token={VALID}", Exit.USAGE),
    "half a token": (f"livekit:ws://127.0.0.1:1?access_token={VALID[: len(VALID) * 2 // 3]}", Exit.USAGE),
    "token as another parameter": (f"livekit:ws://127.0.0.1:1?token={VALID}", Exit.USAGE),
    "not a url": (f"livekit:{VALID}", Exit.USAGE),
    "in a simulator": (f"simulator:x?{VALID}=1", Exit.USAGE),
    "offline": (f"offline:{VALID}", Exit.USAGE),
}


@pytest.mark.parametrize("case", FAILURES)
def test_no_failure_shows_a_token(run_process, case):
    target, code = FAILURES[case]
    # The longest run of the token's characters in the target is what must not come out again.
    secrets = re.findall(r"eyJ[\w.-]+", target)
    result = run_process("tail", "-", stdin=target + "\n")
    assert result.returncode == code
    assert len(result.stderr.splitlines()) == 1
    for secret in secrets:
        assert_no_secret(secret, result.stdout, result.stderr)


def test_no_failure_shows_a_token_of_the_environment_or_the_arguments(run_process):
    target, code = FAILURES["expired"]
    for command in (["say", "text"], ["tail", "--loop", "trio"]):
        result = run_process(*command, env={"DCL_COMMS_TARGET": target})
        assert result.returncode == code
        assert_no_secret(EXPIRED, result.stdout, result.stderr)
    result = run_process("say", target, "text", "--to", "x", "--unknown")
    assert result.returncode == Exit.USAGE
    assert_no_secret(EXPIRED, result.stdout, result.stderr)
    result = run_process(target)
    assert result.returncode == Exit.USAGE


def test_demo_over_memory(run_process):
    result = run_process("demo", "--memory", "--seconds", "30", env={"LIVEKIT_SERVER": ""})
    assert result.returncode == Exit.OK, result.stdout + result.stderr
    assert "Over the in-memory room" in result.stdout
    assert result.stdout.rstrip().endswith("All is well.")
    for name in ("Ada", "Tro", "Eve"):
        assert f"  {name}  joins as 0x" in result.stdout
    assert "Tro  reads Ada in private" in result.stdout
    assert "Ada  reads Tro in private" in result.stdout
    assert not re.search(r"Eve  reads \w+ in private", result.stdout)
    assert result.stderr == ""


def test_demo_interrupted(start_process):
    # The play is over in a fraction of a second: where it ended before the signal came, try again.
    for _ in range(10):
        process = start_process("demo", "--memory")
        while "joins as" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=40.0)
        assert stderr == ""
        if process.returncode != Exit.OK:
            break
    assert process.returncode == Exit.INTERRUPTED
