"""Auth chains: the golden vectors of @dcl/crypto, both ways, and everything that is refused."""

from __future__ import annotations

import copy
import json
import pickle
import time
from pathlib import Path

import pytest
from dcl_comms_drivers.wallet import verifier
from dcl_comms_drivers.wallet.ethereum import EthereumKey
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.chains import EPHEMERAL, EXPIRES, NOW, OTHER, ROOT, VERIFIER, identity

from dcl_comms_core import (
    AuthChain,
    AuthChainProblem,
    AuthIdentity,
    AuthLink,
    AuthLinkType,
    ContractCheck,
    InvalidAuthChain,
    Limits,
    LocalProtocolError,
    login_payload,
    signed_fetch_headers,
)
from dcl_comms_core.identity.auth_chain import canonical_signature, ephemeral_link

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "authchain.json").read_text())
CASES = {case["id"]: case for case in VECTORS["cases"]}
P = AuthChainProblem


def cases(*kinds: str):
    return [pytest.param(case, id=case["id"]) for case in CASES.values() if case["kind"] in kinds]


def when(case) -> float:
    return NOW if case.get("verify_at_ms") is None else case["verify_at_ms"] / 1000


def built(case) -> AuthIdentity:
    """The identity of a vector, signed by us."""
    root, ephemeral = EthereumKey(case["root_private_key"]), EthereumKey(case["ephemeral_private_key"])
    assert (root.address, ephemeral.address) == (case["root_address_checksum"], case["ephemeral_address_checksum"])
    expires = case["expiration_ms"] / 1000
    login = login_payload(ephemeral.address, expires)
    assert login == case["ephemeral_message"]
    signature = root.sign(login)
    assert signature == case["ephemeral_message_signature"]
    address = case["root_address_checksum" if case["signer_payload_case"] == "checksum" else "root_address_lower"]
    return AuthIdentity.from_signature(address, signature, expires=expires, signer=ephemeral)


def test_no_vector_is_left_out() -> None:
    kinds = {case["kind"] for case in CASES.values()}
    assert kinds == {"challenge", "signed_fetch", "simple", "negative", "positive-edge"}
    assert len(CASES) == len(VECTORS["cases"]) == 21


@pytest.mark.parametrize("case", cases("challenge"))
def test_challenges_are_signed_as_the_reference_signs(case) -> None:
    chain = built(case).sign(case["challenge_to_sign"])
    assert chain.to_json() == case["auth_chain_json"]
    assert chain.links[-1].signature == case["challenge_signature"]
    assert chain.payload == case["challenge_to_sign"]


@pytest.mark.parametrize("case", cases("signed_fetch"))
def test_requests_are_signed_as_the_reference_signs(case) -> None:
    url = "https://realm.example" + case["path"]
    # They were made in the older form.  The text is what the headers hold; as an object it is the same where the reference wrote no blanks.
    for metadata in [case["metadata_json"], *([case["metadata"]] if " " not in case["metadata_json"] else [])]:
        headers = signed_fetch_headers(
            built(case), case["method"], url, unix_now=case["timestamp_ms"] / 1000, metadata=metadata, folded=True
        )
        assert headers == case["headers"]


@pytest.mark.parametrize("case", cases("challenge", "signed_fetch", "simple", "positive-edge"))
def test_positive_vectors_are_valid(case) -> None:
    text = case.get("auth_chain_json") or json.dumps(case["auth_chain"])
    chain = AuthChain.from_json(text)
    payload = next(
        case[key]
        for key in ("challenge_to_sign", "payload_to_sign", "payload", "expected_final_authority")
        if key in case
    )
    assert case["verify"]["ok"]
    root = case["auth_chain"][0]["payload"]
    assert chain.validate(payload, unix_now=when(case), verifier=VERIFIER) == root.lower()
    assert json.loads(chain.to_json()) == case["auth_chain"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("neg-wrong-final", P.WRONG_PAYLOAD),
        ("neg-tampered-signature", P.WRONG_SIGNER),
        ("neg-wrong-root", P.WRONG_SIGNER),
        ("neg-expired", P.EXPIRED),
        ("neg-no-signer", P.BAD_ORDER),
    ],
)
def test_negative_vectors_are_refused(name: str, problem: AuthChainProblem) -> None:
    case = CASES[name]
    assert not case["verify"]["ok"]
    with pytest.raises(InvalidAuthChain) as caught:
        AuthChain.from_json(json.dumps(case["auth_chain"])).validate(
            case["expected_final_authority"], unix_now=when(case), verifier=VERIFIER
        )
    assert caught.value.problem is problem


def test_every_negative_vector_has_its_problem() -> None:
    assert {case["id"] for case in CASES.values() if case["kind"] == "negative"} == {
        "neg-wrong-final", "neg-tampered-signature", "neg-wrong-root", "neg-expired", "neg-no-signer",
    }  # fmt: skip


@pytest.mark.parametrize("row", VECTORS["ephemeral_type_by_signature_length"])
def test_the_length_of_a_login_signature_names_its_kind(row) -> None:
    signature = "0x" + "0" * (row["signature_length"] - 2)
    assert ephemeral_link("", signature).type.value == row["type"]


# --- reading


def link(kind: str = "SIGNER", payload: object = ROOT.address, **more: object) -> dict[str, object]:
    return {"type": kind, "payload": payload, **more}


def problem_of(text: object, limits: Limits | None = None) -> AuthChainProblem:
    with pytest.raises(InvalidAuthChain) as caught:
        AuthChain.from_json(text, limits=limits or Limits())  # type: ignore[arg-type]  # on purpose
    assert caught.value.problem.value in str(caught.value)
    return caught.value.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[]", P.NOT_TEXT),
        ("", P.NOT_JSON),
        ("null", P.NOT_JSON),
        ("{}", P.NOT_JSON),
        ("[", P.NOT_JSON),
        ("[NaN]", P.NOT_JSON),
        ("[" * 101 + "]" * 101, P.NOT_JSON),
        ('[{"type":"SIGNER","type":"SIGNER","payload":""}]', P.NOT_JSON),
        ("[]", P.BAD_ORDER),
        ("[1]", P.BAD_LINK),
        (json.dumps([link("OTHER")]), P.BAD_LINK),
        (json.dumps([link(1)]), P.BAD_LINK),  # type: ignore[arg-type]  # on purpose
        (json.dumps([link(payload=None)]), P.BAD_LINK),
        (json.dumps([link(payload="\ud800")]), P.BAD_LINK),
        (json.dumps([link(signature=1)]), P.BAD_LINK),
        (json.dumps([link(signature="ä")]), P.BAD_LINK),
        (json.dumps([link("ECDSA_EPHEMERAL")]), P.BAD_ORDER),
        (json.dumps([link(), link()]), P.BAD_ORDER),
        (json.dumps([link()] * 9), P.TOO_MANY_LINKS),
        (" " * 16_385, P.TOO_LONG),
    ],
)
def test_what_is_no_chain(text: object, problem: AuthChainProblem) -> None:
    assert problem_of(text) is problem


def test_the_limits_are_the_callers() -> None:
    text = json.dumps([link()] * 2)
    assert problem_of(text, Limits(auth_chain_links=1)) is P.TOO_MANY_LINKS
    assert problem_of(text, Limits(auth_chain_chars=len(text) - 1)) is P.TOO_LONG


@pytest.mark.parametrize("more", [{}, {"signature": None}, {"signature": ""}, {"signature": "x", "other": [1]}])
def test_what_servers_tolerate_is_tolerated(more: dict[str, object]) -> None:
    rest = json.loads(identity().sign("dcl-0.abc").to_json())[1:]
    chain = AuthChain.from_json(f" {json.dumps([link(**more), *rest])}\n")
    assert chain.links[0].signature == ""
    assert chain.validate("dcl-0.abc", unix_now=NOW, verifier=VERIFIER) == ROOT.address.lower()


# --- validating


def signed(*links: tuple[AuthLinkType, str, EthereumKey | str]) -> AuthChain:
    """A chain of the given links, signed by the given keys, or with the given signature."""
    made = [AuthLink(AuthLinkType.SIGNER, ROOT.address)]
    for kind, payload, by in links:
        made.append(AuthLink(kind, payload, by if isinstance(by, str) else by.sign(payload)))
    return AuthChain(tuple(made))


LOGIN = login_payload(EPHEMERAL.address, EXPIRES)
E, S = AuthLinkType.EPHEMERAL, AuthLinkType.SIGNED_ENTITY
GOOD = EPHEMERAL.sign("p")


def high_s(signature: str) -> str:
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    s = order - int(signature[66:130], 16)
    return f"{signature[:66]}{s:064x}{'1b' if signature.endswith('1c') else '1c'}"


def verdict(chain: AuthChain, **arguments: object) -> AuthChainProblem | None:
    try:
        assert chain.validate("p", **{"unix_now": NOW, "verifier": VERIFIER, **arguments}) == ROOT.address.lower()  # type: ignore[arg-type]  # the callee's
    except InvalidAuthChain as error:
        return error.problem
    return None


@pytest.mark.parametrize(
    ("links", "problem"),
    [
        ([(E, LOGIN, ROOT), (S, "p", EPHEMERAL)], None),
        ([(S, "p", ROOT)], None),
        # Keys may hand over more than once.
        ([(E, LOGIN, ROOT), (E, login_payload(OTHER.address, EXPIRES), EPHEMERAL), (S, "p", OTHER)], None),
        # A login that was typed in on Windows, a free first line, and lines after the third.
        ([(E, LOGIN.replace("\n", "\r\n"), ROOT.sign(LOGIN)), (S, "p", EPHEMERAL)], None),
        ([(E, "Hi\n" + LOGIN.split("\n", 1)[1] + "\nmore\nlines", ROOT), (S, "p", EPHEMERAL)], None),
        ([(E, LOGIN.lower().replace("ephemeral a", "Ephemeral a").replace("e\nexpiration", "e\nExpiration"), ROOT),
          (S, "p", EPHEMERAL)], P.BAD_LOGIN),
        # The forms of a signature.
        ([(S, "p", ROOT.sign("p").upper().replace("0X", "0x"))], None),
        ([(S, "p", ROOT.sign("p")[:-2] + f"{int(ROOT.sign('p')[-2:], 16) - 27:02x}")], None),
        ([(S, "p", high_s(ROOT.sign("p")))], P.BAD_SIGNATURE),
        ([(S, "p", ROOT.sign("p")[:-2] + "1d")], P.BAD_SIGNATURE),
        ([(S, "p", ROOT.sign("p")[2:])], P.BAD_SIGNATURE),
        ([(S, "p", ROOT.sign("p") + "00")], P.BAD_SIGNATURE),
        ([(S, "p", ROOT.sign("p") + "\n")], P.BAD_SIGNATURE),
        ([(S, "p", "")], P.BAD_SIGNATURE),
        ([(S, "p", "0x" + "00" * 64 + "1b")], P.WRONG_SIGNER),
        # What proves nothing.
        ([], P.BAD_ORDER),
        ([(E, LOGIN, ROOT)], P.BAD_ORDER),
        ([(S, LOGIN, ROOT), (S, "p", EPHEMERAL)], P.BAD_ORDER),
        ([(S, OTHER.address, ROOT), (S, "p", OTHER)], P.BAD_ORDER),
        ([(E, LOGIN, ROOT), (S, "q", EPHEMERAL)], P.WRONG_PAYLOAD),
        ([(E, LOGIN, ROOT), (S, "p", ROOT)], P.WRONG_SIGNER),
        ([(E, LOGIN, OTHER), (S, "p", EPHEMERAL)], P.WRONG_SIGNER),
        # Logins that are none.
        ([(E, "", ROOT), (S, "p", EPHEMERAL)], P.BAD_LOGIN),
        ([(E, LOGIN.replace("address: ", "address:"), ROOT), (S, "p", EPHEMERAL)], P.BAD_LOGIN),
        ([(E, LOGIN.replace("Expiration: ", "Expires: "), ROOT), (S, "p", EPHEMERAL)], P.BAD_LOGIN),
        ([(E, LOGIN.replace("Z", "Q"), ROOT), (S, "p", EPHEMERAL)], P.BAD_LOGIN),
        ([(E, LOGIN.replace("Z", ""), ROOT), (S, "p", EPHEMERAL)], None),
        ([(E, LOGIN.replace("0x", "0y"), ROOT), (S, "p", EPHEMERAL)], P.BAD_ADDRESS),
    ],
)  # fmt: skip
def test_what_a_chain_proves(links, problem: AuthChainProblem | None) -> None:
    assert verdict(signed(*links)) is problem


@pytest.mark.parametrize("address", ["", "0x", "dcl-0.abc", ROOT.address + "0", ROOT.address + "\n", ROOT.address[2:]])
def test_the_signer_has_to_be_an_address(address: str) -> None:
    links = identity().sign("p").links
    assert verdict(AuthChain((AuthLink(AuthLinkType.SIGNER, address), *links[1:]))) is P.BAD_ADDRESS


@pytest.mark.parametrize("spelt", [str.lower, str.upper, lambda text: "0x" + text[2:].upper(), str])
def test_letter_case_of_addresses_does_not_matter(spelt) -> None:
    login = LOGIN.replace(EPHEMERAL.address, spelt(EPHEMERAL.address))
    links = signed((E, login, ROOT), (S, "p", EPHEMERAL)).links
    assert verdict(AuthChain((AuthLink(AuthLinkType.SIGNER, spelt(ROOT.address)), *links[1:]))) is None


@pytest.mark.parametrize(("early", "problem"), [(0.001, None), (0.0, P.EXPIRED), (-0.001, P.EXPIRED)])
def test_a_login_has_to_expire_later_than_now_to_the_millisecond(early: float, problem) -> None:
    assert verdict(identity().sign("p"), unix_now=EXPIRES - early) is problem


def test_the_time_has_to_be_a_time() -> None:
    with pytest.raises(LocalProtocolError, match="finite"):
        identity().sign("p").validate("p", unix_now=float("nan"), verifier=VERIFIER)


# --- contract wallets

CE, CS = AuthLinkType.CONTRACT_EPHEMERAL, AuthLinkType.CONTRACT_SIGNED_ENTITY
CONTRACT = signed((CE, LOGIN.replace("\n", "\r\n"), "0xABcd"), (S, "p", EPHEMERAL))


def test_a_contract_is_asked_about_its_login() -> None:
    (check,) = CONTRACT.contract_checks(unix_now=NOW)
    assert check == ContractCheck(ROOT.address.lower(), LOGIN, bytes.fromhex("abcd"))
    assert verdict(CONTRACT) is P.CONTRACT_UNCHECKED
    for answer, problem in ((True, None), (False, P.CONTRACT_REFUSED), (None, P.CONTRACT_UNCHECKED)):
        assert verdict(CONTRACT, verifier=verifier(contract={check: answer}.get)) is problem


def test_a_contract_is_asked_about_what_it_signed_itself() -> None:
    chain = signed((CS, "p", "0x01"))
    assert chain.contract_checks(unix_now=NOW) == ((ROOT.address.lower(), "p", b"\x01"),)
    assert verdict(chain, verifier=verifier(contract=lambda check: True)) is None


def test_no_contract_is_asked_about_what_is_expired_or_malformed() -> None:
    asked: list[ContractCheck] = []
    checker = verifier(contract=lambda check: bool(asked.append(check)))
    assert verdict(CONTRACT, verifier=checker, unix_now=EXPIRES) is P.EXPIRED
    assert verdict(signed((CE, LOGIN, "0xab"), (S, "p", "0x")), verifier=checker) is P.BAD_SIGNATURE
    assert verdict(signed((CE, LOGIN, "0xabc"), (S, "p", GOOD)), verifier=checker) is P.BAD_SIGNATURE
    assert asked == []
    with pytest.raises(InvalidAuthChain):
        CONTRACT.contract_checks(unix_now=EXPIRES)
    assert identity().sign("p").contract_checks(unix_now=NOW) == ()


# --- forms and secrets


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (GOOD, GOOD),
        ("0x" + GOOD[2:].upper(), GOOD),
        (GOOD[:-2] + f"{int(GOOD[-2:], 16) - 27:02x}", GOOD),
        (GOOD[:-2] + "02", None),
        (high_s(GOOD), None),
        ("0xABCD", "0xabcd"),
        ("0xabc", None),
        ("0x", None),
        ("abcd", None),
        ("", None),
    ],
)
def test_the_canonical_form_of_a_signature(signature: str, expected: str | None) -> None:
    assert canonical_signature(signature) == expected


@pytest.mark.parametrize("expires", [float("nan"), float("inf"), 253_402_300_800.0])
def test_a_login_needs_a_date(expires: float) -> None:
    with pytest.raises(LocalProtocolError, match="year 10000"):
        login_payload(EPHEMERAL.address, expires)


@pytest.mark.parametrize("address", ["", "0x12", EPHEMERAL.address + "\n", None])
def test_a_login_needs_an_address(address) -> None:
    with pytest.raises(LocalProtocolError, match="40 hex digits"):
        login_payload(address, EXPIRES)


def test_no_part_of_a_chain_is_shown_or_pickled() -> None:
    chain = identity().sign("get:/secret-path-of-a-request:0:{}")
    texts = [repr(chain), str(chain), *map(repr, chain.links), f"{chain!r:>5}"]
    for secret in [one.signature for one in chain.links[1:]] + ["secret-path-of-a-request"]:
        assert_no_secret(secret, *texts)
        for thing in (chain, chain.links[2]):
            with pytest.raises(LocalProtocolError, match="not pickled") as caught:
                pickle.dumps(thing)
            assert_no_secret(secret, *exception_texts(caught.value))
    assert ROOT.address in repr(chain)
    assert "secret" not in repr(AuthChain((AuthLink(AuthLinkType.SIGNER, "secret"),)))
    assert copy.copy(chain) is copy.deepcopy(chain) is chain


def test_no_part_of_a_chain_is_in_an_error() -> None:
    secret = "a-challenge-that-is-nobodys-business"
    chain = identity().sign(secret)
    broken = chain.to_json().replace("ECDSA_SIGNED", "SIGNED")
    for text in (broken, chain.to_json()[:-1]):
        with pytest.raises(InvalidAuthChain) as caught:
            AuthChain.from_json(text)
        for needle in (secret, chain.links[1].signature, chain.links[2].signature):
            assert_no_secret(needle, *exception_texts(caught.value))


def test_hostile_json_costs_no_more_than_its_size() -> None:
    """Sixteen times the size: about sixteen times the time; a square would be 256 times."""
    limits = Limits(auth_chain_chars=2_000_000, auth_chain_links=1_000_000)
    for shape in ('"' * 2, "[" * 9, '{"a":', "[1,", '"\\', "9" * 8, "[{}," + " " * 8):
        costs: list[float] = []
        for size in (32_000, 512_000):
            text = "[" + shape * (size // len(shape))
            best = 1e9
            for _ in range(3):
                before = time.process_time()
                with pytest.raises(InvalidAuthChain):
                    AuthChain.from_json(text, limits=limits)
                best = min(best, time.process_time() - before)
            costs.append(best)
        assert costs[1] < 100 * costs[0] + 0.05, (shape, costs)
