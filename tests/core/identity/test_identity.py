"""Identities and what they may sign."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.chains import EPHEMERAL, EXPIRES, NOW, OTHER, ROOT, VERIFIER, identity

from dcl_comms_core import (
    DECENTRALAND_HOSTS,
    AuthChain,
    AuthIdentity,
    AuthLink,
    AuthLinkType,
    ChallengeGuard,
    IdentityExpired,
    InvalidAuthChain,
    InvalidConnectionString,
    Limits,
    LocalProtocolError,
    SigningProblem,
    SigningRefused,
    login_payload,
)
from dcl_comms_core.tools.urls import host_and_port

LOGIN = login_payload(EPHEMERAL.address, EXPIRES)
URL = "wss://realm.example/ws"


def test_an_identity_tells_who_and_how_long() -> None:
    me = identity()
    assert (me.address, me.ephemeral_address, me.expires) == (ROOT.address, EPHEMERAL.address, EXPIRES)


@pytest.mark.parametrize("v", ["00", "01", "1b", "1c"])
def test_a_hardware_wallets_v_is_brought_to_the_usual_form(v: str) -> None:
    signature = ROOT.sign(LOGIN)
    usual = {"00": "1b", "01": "1c"}.get(v, v)
    me = AuthIdentity.from_signature(
        ROOT.address, "0x" + signature[2:-2].upper() + v, expires=EXPIRES, signer=EPHEMERAL
    )
    assert me.sign("p").links[1].signature == signature[:-2] + usual
    # The one that fits the signature is valid, the other is somebody else's.
    if usual == signature[-2:]:
        assert me.sign("p").validate("p", unix_now=NOW, verifier=VERIFIER) == ROOT.address.lower()


def test_a_contract_wallets_signature_makes_a_contract_link() -> None:
    me = AuthIdentity.from_signature(ROOT.address, "0x" + "AB" * 130, expires=EXPIRES, signer=EPHEMERAL)
    chain = me.sign("p")
    assert chain.links[1].type is AuthLinkType.CONTRACT_EPHEMERAL
    assert chain.links[1].signature == "0x" + "ab" * 130
    assert chain.links[2].type is AuthLinkType.SIGNED_ENTITY


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"signature": "0x12zz"}, "signature"),
        ({"signature": "0x" + "00" * 64 + "05"}, "signature"),
        ({"address": "somebody"}, "40 hex digits"),
        ({"expires": float("nan")}, "year 10000"),
    ],
)
def test_a_malformed_login_is_refused(arguments: dict[str, object], text: str) -> None:
    good: dict[str, object] = {"address": ROOT.address, "signature": ROOT.sign(LOGIN), "expires": EXPIRES}
    with pytest.raises(LocalProtocolError, match=text):
        AuthIdentity.from_signature(**{**good, **arguments}, signer=EPHEMERAL)  # type: ignore[arg-type]  # on purpose


def login_chain(text: str) -> AuthChain:
    signature = ROOT.sign(text.replace("\r", ""))  # the reference drops CR before it looks
    return AuthChain((AuthLink(AuthLinkType.SIGNER, ROOT.address), AuthLink(AuthLinkType.EPHEMERAL, text, signature)))


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        (LOGIN, EXPIRES),
        (LOGIN.replace("Decentraland Login", "Sign in to Decentraland, please \U0001f600"), EXPIRES),
        (LOGIN.replace(EPHEMERAL.address, EPHEMERAL.address.lower()), EXPIRES),
        (LOGIN.replace(".000Z", ""), EXPIRES),
        (LOGIN.replace("\n", "\r\n"), EXPIRES),
        (LOGIN + "\nand a fourth line", EXPIRES),
    ],
)
def test_a_login_that_was_made_elsewhere_is_kept_as_it_was_signed(text: str, expires: float) -> None:
    made = login_chain(text)
    me = AuthIdentity.from_chain(made, signer=EPHEMERAL)
    assert (me.address, me.ephemeral_address, me.expires) == (ROOT.address, EPHEMERAL.address, expires)
    chain = me.sign("dcl-1")
    assert chain.links[:2] == made.links
    assert chain.validate("dcl-1", unix_now=NOW, verifier=VERIFIER) == ROOT.address.lower()


def test_what_is_no_login_to_take_over() -> None:
    whole = identity().sign("dcl-1")
    alone = AuthChain(whole.links[:1])
    entity = AuthChain((whole.links[0], AuthLink(AuthLinkType.SIGNED_ENTITY, LOGIN, ROOT.sign(LOGIN))))
    for chain in (whole, alone, entity):
        with pytest.raises(LocalProtocolError, match="two links"):
            AuthIdentity.from_chain(chain, signer=EPHEMERAL)
    with pytest.raises(LocalProtocolError, match="another ephemeral key"):
        AuthIdentity.from_chain(login_chain(LOGIN), signer=OTHER)
    with pytest.raises(InvalidAuthChain):
        AuthIdentity.from_chain(login_chain("hello"), signer=EPHEMERAL)


def test_a_signer_that_gives_no_signature_is_told_so() -> None:
    class Broken:
        address = EPHEMERAL.address

        def sign(self, message: str) -> str:
            return message

    me = AuthIdentity.from_signature(ROOT.address, ROOT.sign(LOGIN), expires=EXPIRES, signer=Broken())
    with pytest.raises(LocalProtocolError, match="ephemeral signer"):
        me.sign("secret")


@pytest.mark.parametrize(
    ("left", "arguments", "text"),
    [
        (3600.0, {}, None),
        (60.5, {}, None),
        (60.0, {}, "expires in 60 s"),
        (0.0, {}, "expired 0 s ago"),
        (-5.0, {}, "expired 5 s ago"),
        (5.0, {"margin": 4.0}, None),
        (5.0, {"margin": 5.0}, "expires in 5 s"),
        (5.0, {"limits": Limits(identity_margin_seconds=4.0)}, None),
        (float("nan"), {}, "expires in nan s"),
    ],
)
def test_an_identity_expires_with_a_margin(left: float, arguments: dict[str, object], text: str | None) -> None:
    me = identity()
    if text is None:
        me.check(unix_now=EXPIRES - left, **arguments)  # type: ignore[arg-type]  # the callee's
    else:
        with pytest.raises(IdentityExpired, match=text):
            me.check(unix_now=EXPIRES - left, **arguments)  # type: ignore[arg-type]  # likewise


def test_an_identity_keeps_its_secrets() -> None:
    me = identity()
    for secret in (EPHEMERAL.reveal(), ROOT.reveal(), ROOT.sign(LOGIN)):
        assert_no_secret(secret, repr(me), str(me))
        with pytest.raises(LocalProtocolError, match="not pickled") as caught:
            pickle.dumps(me)
        assert_no_secret(secret, *exception_texts(caught.value))
    assert repr(me) == f"AuthIdentity(address={ROOT.address}, expires={EXPIRES})"
    assert copy.copy(me) is copy.deepcopy(me) is me


# --- the guard


@pytest.mark.parametrize("challenge", ["dcl-0.vnw8z7j39", "dcl-0.x", "dcl-" + "x" * 124, "dcl-0.4fzyo82mvyr"])
def test_challenges_are_signed(challenge: str) -> None:
    ChallengeGuard(["realm.example"]).check_challenge(challenge, url=URL)


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "dcl-",
        "DCL-0.x",
        " dcl-0.x",
        "dcl-0.x\n",
        "dcl-0.x y",
        "dcl-ä",
        "dcl-" + "x" * 125,
        "get:/some/path:1700000000000:{}",
        "bafkreicfbg7ybpuoslkcf6x2vfnvzl5vwgqtb2pnheqiut2i4sgpblicqi",
        LOGIN,
    ],
)
def test_nothing_else_is_signed(challenge: str) -> None:
    with pytest.raises(SigningRefused) as caught:
        ChallengeGuard(["realm.example"]).check_challenge(challenge, url=URL)
    assert caught.value.problem is SigningProblem.NOT_A_CHALLENGE
    assert "not signed: not a challenge" in str(caught.value)
    if len(challenge) > 4:
        assert challenge not in str(caught.value)


def test_how_long_a_challenge_may_be_is_a_limit() -> None:
    guard = ChallengeGuard(["*"], limits=Limits(challenge_chars=6))
    guard.check_challenge("dcl-12", url=URL)
    with pytest.raises(SigningRefused, match="longer than 6"):
        guard.check_challenge("dcl-123", url=URL)


def allowed(guard: ChallengeGuard, url: str) -> bool:
    try:
        guard.check_url(url)
    except SigningRefused as error:
        assert error.problem is SigningProblem.HOST_NOT_ALLOWED
        # The host, so that one can allow it, and no more of the URL.
        assert host_and_port(url).partition("#")[0] in str(error)
        assert "/" not in str(error)
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "url", "expected"),
    [
        ("realm.example", "wss://realm.example/ws", True),
        ("realm.example", "https://REALM.example:5000/x?y", True),
        ("realm.example", "https://realm.example.", True),
        ("Realm.Example.", "https://realm.example", True),
        ("realm.example", "https://www.realm.example", False),
        ("realm.example", "https://realm.example.evil", False),
        ("realm.example", "https://evil/realm.example", False),
        ("realm.example", "https://evil?realm.example", False),
        ("realm.example", "https://evil#realm.example", False),
        ("realm.example:443", "https://realm.example:443/", True),
        ("realm.example:443", "https://realm.example:444/", False),
        ("realm.example:443", "https://realm.example/", False),
        ("*.realm.example", "https://a.b.realm.example:1", True),
        ("*.realm.example", "https://realm.example", False),
        ("*.realm.example", "https://evilrealm.example", False),
        ("*.realm.example:80", "https://a.realm.example:80", True),
        ("*.realm.example:80", "https://a.realm.example:81", False),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/about", True),
        ("127.0.0.1", "ws://127.0.0.1:9/", True),
        ("[::1]", "ws://[::1]:9/", True),
        ("[::1]", "ws://[::1]/", True),
        ("[::1]:9", "ws://[::1]:8/", False),
        ("münchen.example", "https://xn--mnchen-3ya.example", True),
        ("*", "https://anything.example:1", True),
    ],
)
def test_where_it_signs(pattern: str, url: str, expected: bool) -> None:
    assert allowed(ChallengeGuard([pattern]), url) is expected


@pytest.mark.parametrize("url", ["https://user@realm.example", "https://", "ftp://realm.example", ""])
def test_what_is_no_url_is_not_signed_for(url: str) -> None:
    with pytest.raises(InvalidConnectionString):
        ChallengeGuard(["*"]).check_challenge("dcl-0.x", url=url)


@pytest.mark.parametrize("pattern", ["", "*.", "**", "https://realm.example", "realm.example/ws", "a b", "a?b", "x@y"])
def test_what_is_no_host_is_not_allowed(pattern: str) -> None:
    with pytest.raises(LocalProtocolError, match="a host to allow"):
        ChallengeGuard([pattern])


def test_the_foundations_hosts_are_allowed_and_others_when_named() -> None:
    guard = ChallengeGuard()
    assert guard.hosts == DECENTRALAND_HOSTS
    assert allowed(guard, "https://worlds-content-server.decentraland.org/worlds/x/comms")
    assert not allowed(guard, "https://decentraland.org.example/")
    assert not allowed(guard, "http://127.0.0.1:8000")
    wider = guard.allowing("http://127.0.0.1:8000/about", "https://realm.example/x?y")
    assert allowed(wider, "ws://127.0.0.1:8000/ws")
    assert not allowed(wider, "ws://127.0.0.1:8001/ws")
    assert allowed(wider, "wss://realm.example/ws")
    assert repr(wider) == f"ChallengeGuard({wider.hosts!r})"
    assert not allowed(ChallengeGuard([]), "https://decentraland.org")


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_gets_a_challenge_of_another_host_signed(challenge: str, host: str) -> None:
    with pytest.raises((SigningRefused, InvalidConnectionString)):
        ChallengeGuard([f"only.{'a' * 50}.example"]).check_challenge(challenge, url=f"wss://{host}")


def test_two_identities_are_two() -> None:
    assert identity(OTHER).sign("p") != identity(ROOT).sign("p")
