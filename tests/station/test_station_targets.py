"""What a command may be given as TARGET, as a world's password, and off this machine: --secret, --plain."""

from __future__ import annotations

import pytest
from dcl_comms_station.exits import Exit
from dcl_comms_station.visitor import Visitor
from rigs.core.canary import assert_no_secret
from rigs.drivers.serving import serving

SECRET = "open sesame"


@pytest.fixture(autouse=True)
def no_secret(monkeypatch):
    monkeypatch.delenv("DCL_COMMS_SECRET", raising=False)


@pytest.fixture
def world(dcl_realm):
    dcl_realm.set_secret("locked.dcl.eth", SECRET)
    return f"{dcl_realm.url}/world/locked.dcl.eth"


# --- targets


@pytest.mark.parametrize("form", ["{}", "http://{}/about", "decentraland://realm=http://{}&position=0,0",
                                  "https://decentraland.org/play/?realm={}"])  # fmt: skip
def test_a_realm_as_people_write_it(run_cli, dcl_realm, form):
    target = form.format(dcl_realm.url.removeprefix("http://"))
    result = run_cli("tail", target, "--json", "--count", "1")
    assert (result.exit_code, result.stderr) == (Exit.OK, "")


@pytest.mark.parametrize("command", [("tail",), ("say", "", "hello"), ("doctor",)])
def test_a_name_that_is_none_says_what_may_be(run_cli, command):
    first, *rest = command
    texts = rest[1:]
    for target in ("", "plaza"):
        result = run_cli(first, target, *texts)
        said = result.stderr + result.stdout
        assert result.exit_code == Exit.USAGE
        assert "a world by its name (NAME.dcl.eth)" in said
        assert "Genesis City as main" in said


def test_the_doctor_says_which_realm_a_name_is(examine, dcl_realm):
    target = dcl_realm.url.removeprefix("http://")
    code, findings = examine(target)
    assert (code, findings["string"]["detail"]) == (Exit.OK, f"the realm at {dcl_realm.url}")
    assert findings["about"]["status"] == "ok"


def test_a_token_is_asked_of_no_realm(run_cli):
    assert "realm's URL" not in run_cli("token", "--help").stdout
    for target in ("https://realm.example/main", "127.0.0.1:8000"):
        result = run_cli("token", target)
        assert result.exit_code == Exit.USAGE
        assert "a realm has no access token: give a token, or a livekit: connection string" in result.stderr


# --- off this machine


def test_what_is_not_encrypted_says_how_to_ask_for_it(run_cli, examine):
    result = run_cli("tail", "192.168.1.5:8000")
    assert result.exit_code == Exit.REFUSED
    assert "not encrypted" in result.stderr
    assert "--plain asks for it" in result.stderr
    for plain in (False, True):
        assert Visitor(plain=plain).settings("http://192.168.1.5:8000")["plain"] is plain
    # The doctor says it too; here by way of a redirect, which is judged like what was written.
    page = b"HTTP/1.1 302 Found\r\nLocation: http://192.168.1.5:8000/about\r\nContent-Length: 0\r\n\r\n"
    with serving(page) as (port, _):
        code, findings = examine(f"127.0.0.1:{port}")
    (failed,) = (finding for finding in findings.values() if finding["status"] == "failed")
    assert (code, "--plain" in failed["fix"]) == (Exit.REFUSED, True)


# --- passwords


@pytest.mark.parametrize("way", ["asked", "file", "environment", "argument"])
@pytest.mark.parametrize("command", ["tail", "doctor"])
def test_a_password_has_ways_in_that_nobody_sees(run_cli, world, tmp_path, way, command):
    (tmp_path / "secret").write_text(SECRET + "\nmore\n", encoding="utf-8")
    args = {"asked": ["--secret", "-"], "file": ["--secret", f"@{tmp_path}/secret"], "environment": [],
            "argument": ["--secret", SECRET]}[way]  # fmt: skip
    more = ["--count", "1"] if command == "tail" else []
    result = run_cli(
        command, world, *args, *more,
        stdin=SECRET + "\n" if way == "asked" else None,
        env={"DCL_COMMS_SECRET": SECRET} if way == "environment" else None,
    )  # fmt: skip
    assert result.exit_code == Exit.OK, result.stdout + result.stderr
    assert ("can be seen by every user" in result.stderr) is (way == "argument")
    assert_no_secret(SECRET, result.stdout, result.stderr)


def test_target_and_password_may_both_come_by_standard_input(run_cli, world):
    result = run_cli("say", "-", "hello", "--secret", "-", stdin=f"{world}\n{SECRET}\n")
    assert (result.exit_code, result.stderr) == (Exit.OK, "dcl-comms: sent, but nobody was there\n")


def test_a_missing_password_says_so_and_the_doctor_what_to_do(run_cli, examine, world):
    result = run_cli("tail", world)
    assert result.exit_code == Exit.REFUSED
    assert "the world's password was not given, or is another one" in result.stderr
    code, findings = examine(world)
    assert (code, findings["join"]["status"]) == (Exit.REFUSED, "failed")
    assert "--secret -" in findings["join"]["fix"]


def test_a_password_that_can_not_be_read(run_cli, world, tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, words in (("missing", "No such file"), ("binary", "no text")):
        result = run_cli("tail", world, "--secret", f"@{tmp_path}/{name}")
        assert result.exit_code == Exit.USAGE
        assert words in result.stderr


def test_a_password_is_for_realms_and_one_in_the_environment_harms_nobody(run_cli, memory_room):
    result = run_cli("tail", memory_room("me"), "--secret", "-", stdin="x\n")
    assert result.exit_code == Exit.USAGE
    assert "--secret is for realms" in result.stderr
    result = run_cli("tail", memory_room("me"), "--count", "1", env={"DCL_COMMS_SECRET": "x"})
    assert result.exit_code == Exit.OK


def test_no_repr_shows_it():
    assert SECRET not in repr(Visitor(secret=SECRET))
