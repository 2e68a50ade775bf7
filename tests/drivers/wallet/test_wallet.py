"""Wallets: keys, signatures and logins, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import traceback
from pathlib import Path

import pytest
import trio
from dcl_comms_drivers.wallet import LIFETIME_SECONDS, DisposableWallet, LocalWallet, log_in, verifier
from dcl_comms_drivers.wallet.ethereum import EthereumKey, checksum_address, keccak256, personal_hash, recover
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.chains import EPHEMERAL, NOW, ROOT, VERIFIER

from dcl_comms_core import (
    AuthChainProblem,
    AuthIdentity,
    AuthLinkType,
    IdentityExpired,
    InvalidAuthChain,
    LocalProtocolError,
    RemoteProtocolError,
)

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "authchain.json").read_text())["cases"]
KEYED = [case for case in CASES if "root_private_key" in case]
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest):
    """Run a coroutine function to its end, on either loop."""
    if request.param == "trio":
        return trio.run
    return lambda function: asyncio.run(function())


# --- keys and signatures


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"testing", "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02"),
    ],
)
def test_keccak(data: bytes, digest: str) -> None:
    assert keccak256(data).hex() == digest


def test_a_personal_message_is_prefixed_with_its_length_in_bytes() -> None:
    assert personal_hash("äö") == keccak256(b"\x19Ethereum Signed Message:\n4" + "äö".encode())
    assert personal_hash("") == keccak256(b"\x19Ethereum Signed Message:\n0")


@pytest.mark.parametrize(
    "address",
    # The examples of EIP-55.
    [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_checksum_addresses(address: str) -> None:
    for spelt in (address, address.lower(), "0x" + address[2:].upper()):
        assert checksum_address(spelt) == address


@pytest.mark.parametrize("case", KEYED, ids=lambda case: case["id"])
def test_every_signature_of_the_vectors(case) -> None:
    root = EthereumKey(case["root_private_key"])
    assert root.address == case["root_address_checksum"]
    signed = []
    if "ephemeral_message" in case:
        ephemeral = EthereumKey(case["ephemeral_private_key"])
        payload = case.get("challenge_to_sign", case.get("payload_to_sign"))
        signed.append((root, case["ephemeral_message"], case["ephemeral_message_signature"]))
        signed.append((ephemeral, payload, case.get("challenge_signature", case.get("payload_signature"))))
    else:
        signed.append((root, case["payload"], case["payload_signature"]))
    for key, message, signature in signed:
        assert key.sign(message) == signature
        assert recover(message, bytes.fromhex(signature[2:])) == key.address


@settings(max_examples=40)
@given(st.integers(1, ORDER - 1), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_signature_is_canonical_and_leads_back_to_its_key(number: int, message: str) -> None:
    key = EthereumKey(number.to_bytes(32))
    raw = bytes.fromhex(key.sign(message)[2:])
    assert 0 < int.from_bytes(raw[32:64]) <= ORDER // 2
    assert raw[64] in {27, 28}
    for v in (raw[64], raw[64] - 27):
        assert recover(message, raw[:64] + bytes([v])) == key.address
    assert recover(message, raw[:64] + bytes([55 - raw[64]])) != key.address
    assert recover(message + "x", raw) != key.address


@given(st.binary(min_size=60, max_size=70))
def test_whatever_is_recovered_from_nothing_is_raised(signature: bytes) -> None:
    signer = recover("message", signature)
    assert signer is None or checksum_address(signer) == signer


@pytest.mark.parametrize(
    "signature",
    [b"", b"\0" * 64 + b"\x1b", b"\xff" * 64 + b"\x1b", b"\x01" * 64 + b"\x02", b"\x01" * 64 + b"\x1d", b"\x01" * 66],
)
def test_what_is_no_signature(signature: bytes) -> None:
    assert recover("message", signature) is None


@pytest.mark.parametrize("key", [KEY, KEY[2:], KEY.upper().replace("0X", "0x"), bytes.fromhex(KEY[2:])])
def test_the_forms_of_a_key(key: str | bytes) -> None:
    wallet = LocalWallet(key)
    assert wallet.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert wallet.reveal() == KEY


@pytest.mark.parametrize(
    "key",
    ["", "0x", KEY[:-1], KEY + "00", KEY + "\n", "0x" + "00" * 32, f"{ORDER:064x}", "ff" * 32, b"\0" * 32, b"x" * 31,
     bytearray(32), None, 5, "zz" * 32],
)  # fmt: skip
def test_what_is_no_key(key) -> None:
    with pytest.raises(LocalProtocolError, match="32 bytes, or 64 hex digits") as caught:
        LocalWallet(key)
    if isinstance(key, str) and len(key) > 40:
        assert_no_secret(key, *exception_texts(caught.value))


def test_disposable_wallets_are_new_and_keys_are_not_shown() -> None:
    wallets = [DisposableWallet() for _ in range(20)]
    assert len({wallet.address for wallet in wallets}) == 20
    wallet, key = LocalWallet(KEY), EthereumKey(KEY)
    assert repr(wallet) == "LocalWallet(address=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266)"
    assert repr(wallets[0]) == f"DisposableWallet(address={wallets[0].address})"
    for thing in (wallet, key):
        assert copy.copy(thing) is copy.deepcopy(thing) is thing
        with pytest.raises(LocalProtocolError, match="not pickled") as caught:
            pickle.dumps(thing)
        assert_no_secret(KEY[2:], repr(thing), str(thing), *exception_texts(caught.value))


def test_a_traceback_with_local_variables_does_not_show_a_key() -> None:
    def fails(wallet: LocalWallet, identity: AuthIdentity) -> None:
        raise ValueError

    identity = asyncio.run(log_in(LocalWallet(KEY)))
    try:
        fails(LocalWallet(KEY), identity)
    except ValueError as error:
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert_no_secret(KEY[2:], text)
        assert "LocalWallet" in text


# --- logging in


class Slow:
    """A wallet behind a prompt."""

    def __init__(self, key: EthereumKey, answer=None, sleep=None) -> None:
        self.address = key.address
        self.asked: list[str] = []
        self._answer = answer or key.sign
        self._sleep = sleep

    async def sign(self, message: str) -> str:
        self.asked.append(message)
        if self._sleep:
            await self._sleep()
        return self._answer(message)


class Clock:
    """Unix time that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("wallet", [LocalWallet(KEY), DisposableWallet(), Slow(ROOT)])
def test_a_login_makes_valid_chains(run, wallet) -> None:
    async def main() -> AuthIdentity:
        return await log_in(wallet, clock=Clock())

    identity = run(main)
    assert identity.expires == NOW + LIFETIME_SECONDS
    assert identity.address == wallet.address
    chain = identity.sign("dcl-0.x")
    assert chain.validate("dcl-0.x", unix_now=NOW, verifier=VERIFIER) == wallet.address.lower()
    # Every login has a key of its own.
    assert run(main).ephemeral_address != identity.ephemeral_address


def test_the_usual_clock_is_the_machines() -> None:
    identity = asyncio.run(log_in(DisposableWallet(), lifetime=120.0))
    identity.check(unix_now=__import__("time").time())


def test_a_wallet_may_take_its_time_while_others_go_on(run, request: pytest.FixtureRequest) -> None:
    clock = Clock()
    on_trio = request.node.callspec.params["run"] == "trio"

    async def prompt() -> None:
        clock.now += 3600.0
        await (trio.sleep(0.01) if on_trio else asyncio.sleep(0.01))

    async def main() -> AuthIdentity:
        return await log_in(Slow(ROOT, sleep=prompt), clock=clock, lifetime=7200.0)

    # Counted from when it was asked: the text that the wallet shows says until when.
    assert run(main).expires == NOW + 7200.0


def test_a_wallet_that_takes_too_long_is_told_so() -> None:
    clock = Clock()

    async def forever() -> None:
        clock.now += 36_000.0

    with pytest.raises(IdentityExpired):
        asyncio.run(log_in(Slow(ROOT, sleep=forever), clock=clock))
    with pytest.raises(IdentityExpired):
        asyncio.run(log_in(Slow(ROOT), clock=clock, lifetime=59.0))


@pytest.mark.parametrize("v", [0, 27])
def test_a_hardware_wallets_v(v: int) -> None:
    def answer(message: str) -> str:
        signature = ROOT.sign(message)
        return f"{signature[:-2]}{int(signature[-2:], 16) - 27 + v:02x}"

    identity = asyncio.run(log_in(Slow(ROOT, answer), clock=Clock()))
    assert identity.sign("p").links[1].signature[-2:] in {"1b", "1c"}
    identity.sign("p").validate("p", unix_now=NOW, verifier=VERIFIER)


@pytest.mark.parametrize(
    "answer",
    [
        EPHEMERAL.sign,
        lambda message: ROOT.sign(message + " "),
        lambda message: ROOT.sign(message)[2:],
        lambda message: "",
        lambda message: "0x" + "00" * 65,
        lambda message: "rejected by the user",
    ],
)
def test_what_is_not_the_wallets_signature(answer) -> None:
    with pytest.raises(RemoteProtocolError, match="not its signature"):
        asyncio.run(log_in(Slow(ROOT, answer), clock=Clock()))


def test_a_wallet_has_an_address() -> None:
    wallet = Slow(ROOT)
    wallet.address = "0x12"
    with pytest.raises(LocalProtocolError, match="40 hex digits"):
        asyncio.run(log_in(wallet))
    assert wallet.asked == []


def test_a_contract_wallet_is_asked_if_there_is_a_way() -> None:
    wallet = Slow(ROOT, lambda message: "0x" + "ab" * 130)
    for contract in (None, lambda check: None, lambda check: check.signature == b"\xab" * 130):
        identity = asyncio.run(log_in(wallet, clock=Clock(), contract=contract))
        assert identity.sign("p").links[1].type is AuthLinkType.CONTRACT_EPHEMERAL
    with pytest.raises(RemoteProtocolError):
        asyncio.run(log_in(wallet, clock=Clock(), contract=lambda check: False))
    chain = identity.sign("p")
    assert chain.validate("p", unix_now=NOW, verifier=verifier(contract=lambda check: True)) == ROOT.address.lower()
    with pytest.raises(InvalidAuthChain) as caught:
        chain.validate("p", unix_now=NOW, verifier=verifier())
    assert caught.value.problem is AuthChainProblem.CONTRACT_UNCHECKED


def test_a_wallet_that_fails_fails_with_its_own_error() -> None:
    def refuse(message: str) -> str:
        raise PermissionError("the user said no")

    with pytest.raises(PermissionError, match="the user said no"):
        asyncio.run(log_in(Slow(ROOT, refuse)))
