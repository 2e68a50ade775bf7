"""``dcl-comms wallet``: keys in files, and no key anywhere else."""

from __future__ import annotations

import stat
import sys

import pytest
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet
from dcl_comms_station.exits import Exit
from rigs.drivers.logins import login

WITHOUT_WALLET = (
    "import sys; sys.modules['coincurve'] = None; from dcl_comms_station.entry import main; sys.exit(main())"
)


def test_a_new_key_is_in_its_file_and_nowhere_else(run_cli, tmp_path):
    file = tmp_path / "bot.key"
    result = run_cli("wallet", "new", str(file))
    wallet = LocalWallet.load(file)
    assert (result.exit_code, result.stdout, result.stderr) == (Exit.OK, f"{wallet.address}\n", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert wallet.reveal()[2:] not in result.stdout + result.stderr
    shown = run_cli("wallet", "show", str(file))
    assert (shown.exit_code, shown.stdout, shown.stderr) == (Exit.OK, f"{wallet.address}\n", "")


def test_two_new_keys_are_two(run_cli, tmp_path):
    first, second = (run_cli("wallet", "new", str(tmp_path / name)).stdout for name in "ab")
    assert first != second


@pytest.mark.parametrize("kind", ["key", "else", "link"])
def test_what_is_there_is_never_overwritten(run_cli, tmp_path, kind):
    file = tmp_path / "bot.key"
    match kind:
        case "key":
            run_cli("wallet", "new", str(file))
        case "else":
            file.write_text("mine")
        case _:
            file.symlink_to(tmp_path / "nowhere")
    before = None if kind == "link" else file.read_bytes()
    result = run_cli("wallet", "new", str(file))
    assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
    assert result.stderr == f"dcl-comms: error: {file}: this file exists: name another one, or move it away\n"
    assert (None if kind == "link" else file.read_bytes()) == before
    assert not (tmp_path / "nowhere").exists()


def test_a_login_has_an_address_too(run_cli, tmp_path):
    wallet, file = DisposableWallet(), tmp_path / "login.json"
    secret = login(wallet, file, 3600)
    result = run_cli("wallet", "show", str(file))
    assert (result.exit_code, result.stdout) == (Exit.OK, f"{wallet.address}\n")
    assert secret not in result.stdout + result.stderr


def test_files_that_can_not_be_used(run_cli, tmp_path):
    wide = tmp_path / "wide.key"
    wide.write_text("11" * 32)
    wide.chmod(0o644)
    nothing = tmp_path / "nothing.key"
    nothing.write_text("no key")
    nothing.chmod(0o600)
    for words, why in (
        (("show", wide), "chmod 600"),
        (("show", nothing), "no key"),
        (("show", tmp_path / "absent\x1b[2J"), "can't be read: No such file"),
        (("new", tmp_path / "absent" / "bot.key"), "can't be written: No such file"),
    ):
        result = run_cli("wallet", *map(str, words))
        assert (result.exit_code, result.stdout) == (Exit.USAGE, ""), words
        assert why in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert "\x1b" not in result.stderr
        assert "11" * 32 not in result.stderr


def test_help_of_both(run_cli):
    for name in ("new", "show"):
        text = run_cli("wallet", name, "-h").stdout
        assert text.startswith("Usage: dcl-comms wallet")
        assert f"dcl-comms wallet {name} bot.key" in text
    assert run_cli("wallet").exit_code == Exit.USAGE
    assert run_cli("wallet", "nwe").stderr.endswith("; try: dcl-comms wallet --help\n")


def test_without_the_extra_it_says_what_to_install(run_process, tmp_path):
    file = tmp_path / "bot.key"
    result = run_process("-c", WITHOUT_WALLET, "wallet", "new", str(file), command=[sys.executable])
    assert result.returncode == Exit.USAGE
    assert "dcl-comms[wallet]" in result.stderr
    assert not file.exists()
