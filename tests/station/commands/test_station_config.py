"""The user's file: names of targets, defaults of options, and how it is refused; what a shell completes."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from click.shell_completion import BashComplete
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.cli import cli
from dcl_comms_station.exits import Exit
from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Write the file at its usual place; gives the path."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "dcl-comms" / "config.toml"
    path.parent.mkdir()

    def write(text, mode=0o600):
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return write


# --- targets


def test_a_name_is_a_target_everywhere(run_cli, memory_room, companion, configured):
    other = companion(memory_room("other"))
    configured(f'[targets]\nplain = "{memory_room("me")}"\n')
    for words, stdin in (
        (["say", "plain", "one"], None),
        (["say", "-", "two"], "plain\n"),
        (["walk", "plain", "1,0,1", "--stay", "0.1"], None),
        (["emote", "plain", "wave"], None),
        (["react", "plain", "1"], None),
        (["peers", "plain", "--seconds", "0.1"], None),
    ):
        result = run_cli(*words, stdin=stdin)
        assert result.exit_code == Exit.OK, (words, result.stderr)
    result = run_cli("say", "three", env={"DCL_COMMS_TARGET": "plain"})
    assert (result.exit_code, result.stderr) == (Exit.OK, "dcl-comms: sent to 1: other\n")
    for text in ("one", "two", "three"):
        other.await_chat(text)


def test_the_default_is_for_where_no_target_is_given(run_cli, memory_room, companion, configured):
    companion(memory_room("other"))
    configured(f'default = "plain"\n[targets]\nplain = "{memory_room("me")}"\nempty = "simulator:nobody?identity=me"\n')
    assert run_cli("emote", "wave").stderr == "dcl-comms: sent to 1: other\n"
    nobody = "dcl-comms: sent, but nobody was there\n"
    assert run_cli("emote", "empty", "wave").stderr == nobody
    assert run_cli("emote", "wave", env={"DCL_COMMS_TARGET": "empty"}).stderr == nobody


def test_a_target_alone_is_not_said(run_cli, configured):
    configured('default = "plaza"\n[targets]\nplaza = "simulator:x?identity=me"\n')
    result = run_cli("say", "plaza")
    assert result.exit_code == Exit.USAGE
    assert "TEXT is missing" in result.stderr


def test_what_is_nearly_a_name(run_cli, configured):
    configured('[targets]\nplaza = "simulator:x?identity=me"\nmains = "simulator:x?identity=me"\n')
    result = run_cli("say", "plazza", "hi")
    assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
    assert result.stderr == "dcl-comms: error: no target is called 'plazza'; did you mean plaza?\n"
    assert "no protocol name" in run_cli("say", "xyz", "hi").stderr
    # Genesis City is no slip of the pen; a wallet that is not there keeps us from going.
    assert "--wallet" in run_cli("say", "main", "hi", "--wallet", "/nowhere/bot.key").stderr


def test_no_file(run_cli):
    for env in ({"XDG_CONFIG_HOME": "", "HOME": "/dev/null"}, {"DCL_COMMS_CONFIG": "/dev/null"}):
        assert run_cli("emote", "--list", env=env).exit_code == Exit.OK


@pytest.mark.parametrize("by", ["option", "variable", "home"])
def test_where_the_file_is(run_cli, configured, tmp_path, by):
    path = configured('[targets]\nplain = "simulator:x?identity=me"\n')
    before, env = {
        "option": (["--config", str(path)], {"DCL_COMMS_CONFIG": "/nowhere"}),
        "variable": ([], {"DCL_COMMS_CONFIG": str(path)}),
        "home": ([], {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "not/absolute"}),
    }[by]
    if by == "home":
        (tmp_path / ".config").mkdir()
        path.parent.rename(tmp_path / ".config" / "dcl-comms")
    else:
        env["XDG_CONFIG_HOME"] = str(tmp_path / "none")
    result = run_cli(*before, "say", "plain", "hi", env=env)
    assert (result.exit_code, result.stderr) == (Exit.OK, "dcl-comms: sent, but nobody was there\n")


# --- defaults


@pytest.mark.dcl_realm(islands="heartbeats")
def test_options_are_as_the_file_says_unless_the_command_line_does(run_cli, dcl_realm, configured):
    wallet = DisposableWallet()
    path = configured(
        f'default = "here"\n[targets]\nhere = "{dcl_realm.url}"\n[defaults]\nwallet = "bot.key"\nat = [8, 0, 8.5]\n'
        'loop = "trio"\ntimeout = 30\npulse = "none"\nplain = true\ncolor = "never"\n'
    )
    wallet.save(path.parent / "bot.key")
    shown = " ".join(run_cli("tail", "--help").stdout.split())
    assert all(f"[default: {value}" in shown for value in ("trio", "30", "none", "never"))
    result = run_cli("tail", "--json", "--count", "1", "--only", "room_opened")
    assert (result.exit_code, result.stderr) == (Exit.OK, "")
    assert wallet.address.lower() in result.stdout.lower()
    other = DisposableWallet()
    other.save(path.parent / "other.key")
    argument = str(path.parent / "other.key")
    result = run_cli("tail", "--json", "--count", "1", "--only", "room_opened", "--wallet", argument)
    assert other.address.lower() in result.stdout.lower()


def test_defaults_are_not_for_targets_that_have_no_such_thing(run_cli, configured):
    path = configured('[defaults]\nwallet = "bot.key"\nat = "8,0,8"\npulse = "none"\n')
    result = run_cli("say", "simulator:x?identity=me", "hi")
    assert (result.exit_code, result.stderr) == (Exit.OK, "dcl-comms: sent, but nobody was there\n")
    asked = run_cli("say", "simulator:x?identity=me", "hi", "--wallet", str(path))
    assert (asked.exit_code, "--wallet is for realms" in asked.stderr) == (Exit.USAGE, True)
    assert run_cli("decode", "2a0d0a02686911000000000000f03f5864").exit_code == Exit.OK


# --- what is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets", "this is no TOML: "),
        ("[" * 20_000, "this is no TOML: "),
        ("x" * 70_000, "more than 65536 bytes"),
        ("\x00", "this is no TOML: "),
        ('defualt = "x"', "defualt is not known; did you mean default?"),
        ("xyz = 1", "xyz is not known; there are default, targets, defaults"),
        ("targets = 1", "targets is a table: [targets]"),
        ("defaults = 1", "defaults is a table: [defaults]"),
        ("[targets]\nx = 1", "targets.x is a target's text"),
        ('[targets]\nx = " "', "targets.x is a target's text"),
        ('[targets]\n"a.b" = "x"', "targets: 'a.b' is no name"),
        ("default = 1", "default is the name of one of the targets"),
        ('default = "plazza"\n[targets]\nplaza = "main"', "'plazza'; did you mean plaza?"),
        ("[defaults]\nwalet = 1", "defaults.walet is not known; did you mean wallet?"),
        ('[defaults]\nsecret = "x"', "defaults.secret is not known"),
        ("[defaults]\nwallet = 1", "defaults.wallet is a file's name"),
        ('[defaults]\nwallet = "a\\u0000b"', "defaults.wallet is a file's name"),
        ("[defaults]\nat = 1", 'defaults.at is "X,Y,Z" or [X, Y, Z]'),
        ("[defaults]\nat = [1, true, 2]", 'defaults.at is "X,Y,Z" or [X, Y, Z]'),
        ("[defaults]\nat = [1, 2]", "defaults.at: '1,2' is not X,Y,Z"),
        ('[defaults]\ntimeout = "1"', "defaults.timeout is a number of seconds"),
        ("[defaults]\ntimeout = true", "defaults.timeout is a number of seconds"),
        ("[defaults]\ntimeout = -1", "defaults.timeout: -1"),
        ("[defaults]\nplain = 1", "defaults.plain is true or false"),
        ('[defaults]\nloop = "triio"', "defaults.loop: 'triio'"),
        ('[defaults]\npulse = "x y"', "defaults.pulse: 'x y'"),
        ('[defaults]\ncolor = "red"', "defaults.color: 'red'"),
    ],
)
def test_a_file_that_is_not_as_it_has_to_be(run_cli, configured, text, said):
    path = configured(text)
    result = run_cli("decode", "00")
    assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
    assert result.stderr.startswith(f"dcl-comms: error: {path}: ")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_can_not_be_read(run_cli, configured, tmp_path):
    missing = run_cli("--config", str(tmp_path / "none.toml"), "decode", "00")
    assert (missing.exit_code, "can't be read" in missing.stderr) == (Exit.USAGE, True)
    configured("").write_bytes(b"\xff")
    assert "this file is no text" in run_cli("decode", "00").stderr


@pytest.mark.parametrize("what", ["token", "password", "key", "comment"])
def test_a_secret_that_others_may_read(run_cli, configured, what):
    token = make_token()
    text = {
        "token": f'[targets]\nx = "livekit:wss://example.com?access_token={token}"\n',
        "password": '[targets]\nx = "https://me:open-sesame@example.com"\n',
        "key": f'[targets]\nx = "main"\n# {"ab" * 32}\n',
        "comment": f"# {token}\n",
    }[what]
    for mode in (0o644, 0o640, 0o620):
        path = configured(text, mode)
        result = run_cli("emote", "--list")
        assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
        assert result.stderr == (
            f"dcl-comms: error: {path}: there is a secret in it, and others may read or write this file: chmod 600 it\n"
        )
        assert_no_secret(token, result.stderr)
    configured(f'[targets]\n"{token}" = "x"\n')
    misplaced = run_cli("emote", "--list")
    assert misplaced.exit_code == Exit.USAGE
    assert_no_secret(token, misplaced.stderr)
    configured(text, 0o600)
    assert run_cli("emote", "--list").exit_code == Exit.OK
    configured('[targets]\nx = "https://example.com/about"\n', 0o644)
    assert run_cli("emote", "--list").exit_code == Exit.OK


# --- what a shell completes


def completed(*words):
    *before, incomplete = words
    shell = BashComplete(cli, {}, "dcl-comms", "_DCL_COMMS_COMPLETE")
    return [(item.type, item.value) for item in shell.get_completions(before, incomplete)]


def plain(*values):
    return [("plain", value) for value in values]


def test_names_commands_and_values_complete(configured):
    configured('[targets]\nplain = "main"\nplaza = "main"\nother = "main"\n')
    assert completed("emo") == plain("emote")
    assert completed("wallet", "n") == plain("new")
    assert completed("tail", "--loop", "t") == plain("trio")
    assert completed("tail", "--on") == plain("--only")
    assert completed("tail", "--only", "chat_r") == plain("chat_received")
    assert [kind for kind, _ in completed("tail", "--wallet", "bo")] == ["file"]
    assert [kind for kind, _ in completed("--config", "bo")] == ["file"]
    assert [kind for kind, _ in completed("wallet", "show", "bo")] == ["file"]
    assert completed("emote", "wa") == plain("wave")
    assert completed("emote", "pla") == plain("plain", "plaza")
    assert completed("emote", "plain", "pla") == []
    assert completed("emote", "plain", "wa") == plain("wave")
    assert completed("say", "plain", "pla") == []


def test_names_complete_wherever_a_target_is_taken(configured):
    configured('[targets]\nplain = "main"\n')
    taking = [name for name, command in cli.commands.items() if "TARGET is a" in (command.epilog or "")]
    assert {"tail", "say", "chat", "walk", "doctor", "token", "emote", "react", "peers", "stats", "profile"} <= set(
        taking
    )
    for name in taking:
        before = ["0x" + "ab" * 20] if name == "profile" else []
        assert ("plain", "plain") in completed(name, *before, "pl"), name


def test_names_are_of_the_file_that_is_named(configured, tmp_path):
    configured('[targets]\nplain = "main"\n')
    own = tmp_path / "own.toml"
    own.write_text('[targets]\nplaza = "main"\n', encoding="utf-8")
    assert completed("--config", str(own), "tail", "pl") == plain("plaza")


def test_a_file_that_is_wrong_completes_no_names(configured):
    configured("targets")
    assert completed("tail", "pl") == []
    assert completed("tai") == plain("tail")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(run_process, shell):
    made = run_process(env={"_DCL_COMMS_COMPLETE": f"{shell}_source"})
    assert (made.returncode, made.stderr) == (0, "")
    assert f"_DCL_COMMS_COMPLETE={shell}_complete" in made.stdout
    if shell == "bash":
        checked = subprocess.run([shutil.which("bash"), "-n"], input=made.stdout, text=True, check=False)
        assert checked.returncode == 0


def test_bash_asks_and_is_answered(run_process, configured):
    configured('[targets]\nplain = "main"\n')
    env = {"_DCL_COMMS_COMPLETE": "bash_complete", "COMP_WORDS": "dcl-comms tail pl", "COMP_CWORD": "2"}
    made = run_process(env=env)
    assert (made.returncode, made.stdout, made.stderr) == (0, "plain,plain\n", "")
