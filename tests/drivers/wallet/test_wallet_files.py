"""Keys in files: only new ones, only private ones."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from dcl_comms_drivers.wallet import DisposableWallet, KeyFileRefused, LocalWallet
from rigs.core.canary import assert_no_secret, exception_texts


@pytest.fixture
def wallet() -> LocalWallet:
    return DisposableWallet()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.key"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_key_is_saved_for_its_owner_alone_and_read_again(wallet: LocalWallet, path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        wallet.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == wallet.reveal() + "\n"
    again = LocalWallet.load(str(path))
    assert (again.reveal(), type(again)) == (wallet.reveal(), LocalWallet)


@pytest.mark.parametrize("what", ["file", "folder", "link", "dangling link", "pipe"])
def test_nothing_is_written_over_or_through(wallet: LocalWallet, path: Path, tmp_path: Path, what: str) -> None:
    target = tmp_path / "target"
    match what:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case "link":
            target.write_text("mine")
            path.symlink_to(target)
        case "dangling link":
            path.symlink_to(target)
        case "pipe":
            os.mkfifo(path)
    with pytest.raises(KeyFileRefused, match="exists") as caught:
        wallet.save(path)
    assert_no_secret(wallet.reveal()[2:], *exception_texts(caught.value))
    assert not target.exists() or target.read_text() == "mine"
    if what == "file":
        assert path.read_text() == "mine"


@pytest.mark.parametrize("mode", [0o601, 0o602, 0o604, 0o610, 0o620, 0o640, 0o644, 0o660, 0o666, 0o777])
def test_a_file_that_others_can_open_is_not_read(wallet: LocalWallet, path: Path, mode: int) -> None:
    wallet.save(path)
    path.chmod(mode)
    with pytest.raises(KeyFileRefused, match="chmod 600") as caught:
        LocalWallet.load(path)
    assert_no_secret(wallet.reveal()[2:], *exception_texts(caught.value))


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_of_ones_own_is(wallet: LocalWallet, path: Path, mode: int) -> None:
    wallet.save(path)
    path.chmod(mode)
    assert LocalWallet.load(path).address == wallet.address


def test_a_link_is_not_followed(wallet: LocalWallet, path: Path, tmp_path: Path) -> None:
    wallet.save(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(KeyFileRefused, match="symbolic link"):
        LocalWallet.load(link)


def test_what_is_no_file_blocks_nobody(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyFileRefused, match="not a regular file"):
        LocalWallet.load(path)
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(KeyFileRefused, match="not a regular file"):
        LocalWallet.load(tmp_path / "folder")
    with pytest.raises(FileNotFoundError):
        LocalWallet.load(tmp_path / "nothing")


def test_a_file_of_somebody_else_is_not_read(wallet: LocalWallet, path: Path, monkeypatch) -> None:
    wallet.save(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(KeyFileRefused, match="somebody else"):
        LocalWallet.load(path)


@pytest.mark.parametrize(
    "text", ["", "\n", "my password is swordfish-1234567", "0x" + "12" * 33, "ä", "00" * 32, "x" * 10_000]
)
def test_what_a_file_holds_is_a_key_or_is_not_shown(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(KeyFileRefused, match="no key") as caught:
        LocalWallet.load(path)
    if len(text) > 30:
        assert_no_secret(text, *exception_texts(caught.value))


@pytest.mark.parametrize("form", ["{}", "{}\r\n", "  {}  "])
def test_a_key_written_by_hand(wallet: LocalWallet, path: Path, form: str) -> None:
    path.touch(mode=0o600)
    path.write_text(form.format(wallet.reveal()[2:]))
    assert LocalWallet.load(path).address == wallet.address


def test_a_file_that_cannot_be_kept_private_or_written_is_gone(wallet: LocalWallet, path: Path, monkeypatch) -> None:
    real = os.fstat

    def wide(handle: int) -> os.stat_result:
        status = list(real(handle))
        status[0] |= 0o044
        return os.stat_result(status)

    with monkeypatch.context() as patch:
        # A file system without modes (FAT, some mounts) shows every file like this.
        patch.setattr(os, "fstat", wide)
        with pytest.raises(KeyFileRefused, match="others may read"):
            wallet.save(path)
    assert not path.exists()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            wallet.save(path)
    assert not path.exists()
    wallet.save(path)
    assert LocalWallet.load(path).address == wallet.address
