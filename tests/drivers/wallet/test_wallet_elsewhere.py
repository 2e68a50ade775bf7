"""Logins that were made elsewhere, as Decentraland's sign-in keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from dcl_comms_drivers.wallet import DisposableWallet, KeyFileRefused, LocalWallet, load_wallet, read_identity
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.chains import EPHEMERAL, EXPIRES, NOW, OTHER, ROOT, VERIFIER

from dcl_comms_core import IdentityExpired, InvalidAuthChain, LocalProtocolError, login_payload

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = login_payload(EPHEMERAL.address, EXPIRES)
CONTRACT = "0x" + "ab" * 130


def kept(text: str = LOGIN, **changes: Any) -> dict[str, Any]:
    """What the sign-in keeps."""
    document = {
        "ephemeralIdentity": {"address": EPHEMERAL.address, "publicKey": "0x04", "privateKey": EPHEMERAL.reveal()},
        "expiration": "2099-01-01T00:00:00.000Z",
        "authChain": [
            {"type": "SIGNER", "payload": ROOT.address, "signature": ""},
            {"type": "ECDSA_EPHEMERAL", "payload": text, "signature": ROOT.sign(text)},
        ],
    }
    return document | changes


@pytest.mark.parametrize("form", [dict, json.dumps, lambda document: json.dumps(document).encode()])
@pytest.mark.parametrize("around", [(), ("identity",), ("authIdentity",), ("identity", "authIdentity")])
@pytest.mark.parametrize("text", [LOGIN, LOGIN.replace("Decentraland Login", "Hello"), LOGIN.replace(".000Z", "")])
def test_it_signs_with_the_login_as_it_is(form: Any, around: tuple[str, ...], text: str) -> None:
    document = kept(text)
    for name in reversed(around):
        document = {name: document, "createdAt": 1}
    identity = read_identity(form(document))
    chain = identity.sign("dcl-0.x")
    assert chain.links[1].payload == text
    assert chain.validate("dcl-0.x", unix_now=NOW, verifier=VERIFIER) == ROOT.address.lower()
    # What the text says counts, and not what stands beside it.
    assert identity.expires == EXPIRES
    with pytest.raises(IdentityExpired):
        identity.check(unix_now=EXPIRES)


def test_a_contract_wallets_login_is_asked_about_if_there_is_a_way() -> None:
    chain = kept()["authChain"]
    chain[1] |= {"type": "ECDSA_EIP_1654_EPHEMERAL", "signature": CONTRACT}
    for contract in (None, lambda check: None, lambda check: check.message == LOGIN):
        assert read_identity(kept(authChain=chain), contract=contract).address == ROOT.address
    with pytest.raises(LocalProtocolError, match="not signed by the wallet"):
        read_identity(kept(authChain=chain), contract=lambda check: False)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("", "not JSON"),
        ("[]", "not JSON"),
        ({}, "no ephemeralIdentity"),
        (kept(ephemeralIdentity=None), "no ephemeralIdentity"),
        (kept(ephemeralIdentity={"privateKey": 1}), "no ephemeralIdentity"),
        (kept(authChain="x"), "no ephemeralIdentity"),
        (kept(ephemeralIdentity={"privateKey": "0x12"}), "private key is 32 bytes"),
        (kept(ephemeralIdentity={"privateKey": OTHER.reveal()}), "another ephemeral key"),
        (kept(authChain=[object()]), "authChain is none"),
        (kept(authChain=kept()["authChain"][:1]), "two links"),
        (kept(authChain=[kept()["authChain"][0], {**kept()["authChain"][1], "signature": OTHER.sign(LOGIN)}]),
         "not signed by the wallet"),
        (kept(authChain=[kept()["authChain"][0], {**kept()["authChain"][1], "signature": "0x12zz"}]), "signature"),
    ],
)  # fmt: skip
def test_what_is_none(document: Any, text: str) -> None:
    with pytest.raises(LocalProtocolError, match=text) as caught:
        read_identity(document)
    assert_no_secret(EPHEMERAL.reveal()[2:], *exception_texts(caught.value))


def test_a_chain_that_is_none() -> None:
    with pytest.raises(InvalidAuthChain):
        read_identity(kept(authChain=[1]))


# --- in a file


def in_file(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@pytest.mark.parametrize("form", ["{}", "\n  {}\n", '{{"identity": {}}}'])
def test_a_file_holds_a_login(tmp_path: Path, form: str) -> None:
    found = load_wallet(in_file(tmp_path / "login.json", form.format(json.dumps(kept()))))
    assert not isinstance(found, LocalWallet)
    chain = found.sign("dcl-0.x")
    assert chain.validate("dcl-0.x", unix_now=NOW, verifier=VERIFIER) == ROOT.address.lower()


def test_or_a_key(tmp_path: Path) -> None:
    wallet = DisposableWallet()
    wallet.save(tmp_path / "bot.key")
    found = load_wallet(tmp_path / "bot.key")
    assert isinstance(found, LocalWallet)
    assert found.reveal() == wallet.reveal()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds is no key"),
        ("[]", "holds is no key"),
        ("{", "it is not JSON"),
        ("{}", "no ephemeralIdentity"),
        (json.dumps(kept(authChain=[1])), "neither a key nor a login"),
        (json.dumps(kept(ephemeralIdentity={"privateKey": OTHER.reveal()})), "another ephemeral key"),
        (json.dumps(kept(more=" " * 16_384)), "it is not JSON"),
    ],
)
def test_or_neither(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(KeyFileRefused, match=why) as caught:
        load_wallet(in_file(tmp_path / "file", text))
    assert_no_secret(EPHEMERAL.reveal()[2:], *exception_texts(caught.value))
    assert_no_secret(OTHER.reveal()[2:], *exception_texts(caught.value))


def test_a_login_that_others_may_read_is_not_read(tmp_path: Path) -> None:
    file = in_file(tmp_path / "login.json", json.dumps(kept()))
    file.chmod(0o644)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        load_wallet(file)
