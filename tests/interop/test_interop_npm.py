"""Against Decentraland's own JavaScript: it accepts what we sign, we accept what it signs, both refuse the same.

Node, npm and a registry are needed; without them the tests skip with the reason, or fail where REQUIRE_NODE=1.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from dcl_comms_drivers.asyncio import fetch
from dcl_comms_drivers.wallet.ethereum import EthereumKey
from rigs.core.chains import EPHEMERAL, EXPIRES, NOW, OTHER, ROOT, VERIFIER, identity
from rigs.interop.npm import installed

from dcl_comms_core import (
    AuthChain,
    AuthLink,
    AuthLinkType,
    InvalidAuthChain,
    Refusal,
    RefusalReason,
    login_metadata,
    login_payload,
    read_answer,
    request_url,
    scene_metadata,
    signed_fetch_headers,
)

HERE = Path(__file__).parent

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]

Ask = "Callable[[list[dict[str, Any]]], list[Any]]"


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Ask the reference a list of questions, in one process."""
    packages = installed("crypto")

    def asking(questions: list[dict[str, Any]]) -> list[Any]:
        done = subprocess.run(
            ["node", str(HERE / "reference.js"), str(packages)],
            input=json.dumps(questions), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return asking


def key(dice: random.Random) -> EthereumKey:
    return EthereumKey(dice.randbytes(32))


def private(who: EthereumKey) -> dict[str, str]:
    return {"address": who.address, "privateKey": who.reveal(), "publicKey": ""}


def some_payload(dice: random.Random) -> str:
    alphabet = 'abcXYZ019 :/{}"\\\n\t\x7fäß€😀İΣ'
    return dice.choice(["dcl-0.", ""]) + "".join(dice.choices(alphabet, k=dice.randrange(40)))


def validation(chain: str, payload: str, at: float = NOW) -> dict[str, Any]:
    return {"ask": "validate", "chain": json.loads(chain), "payload": payload, "at": round(at * 1000)}


def test_the_reference_accepts_our_chains(ask: Ask) -> None:
    dice = random.Random(1)
    questions = []
    for _ in range(20):
        payload = some_payload(dice)
        me = identity(key(dice), key(dice), NOW + dice.uniform(0.001, 1e9))
        questions.append(validation(me.sign(payload).to_json(), payload))
    assert [answer for answer in ask(questions) if not answer["ok"]] == []


def test_we_accept_the_references_chains_and_sign_the_same_bytes(ask: Ask) -> None:
    dice = random.Random(2)
    questions, ours = [], []
    for _ in range(20):
        root, ephemeral, payload = key(dice), key(dice), some_payload(dice)
        expires = (round(NOW * 1000) + dice.randrange(1, 10**12)) / 1000
        ours.append((identity(root, ephemeral, expires).sign(payload), root, payload))
        questions.append(
            {"ask": "sign", "root": private(root), "ephemeral": private(ephemeral), "expiration": round(expires * 1000),
             "payload": payload}
        )  # fmt: skip
    for (chain, root, payload), theirs in zip(ours, ask(questions), strict=True):
        assert theirs["json"] == chain.to_json()
        read = AuthChain.from_json(theirs["json"])
        assert read.validate(payload, unix_now=NOW, verifier=VERIFIER) == root.address.lower()


def we_accept(chain: str, payload: str, at: float) -> bool:
    try:
        AuthChain.from_json(chain).validate(payload, unix_now=at, verifier=VERIFIER)
    except InvalidAuthChain:
        return False
    return True


def mutated(dice: random.Random) -> str:
    """A chain with one or two things changed; some changes mean nothing."""
    links: list[dict[str, Any]] = json.loads(identity().sign("p").to_json())
    foreign = json.loads(identity(OTHER, ROOT).sign("p").to_json())
    for _ in range(dice.choice([0, 1, 1, 1, 2])):
        where = dice.randrange(len(links))
        link = links[where]
        match dice.randrange(10):
            case 0 if len(links) > 2:
                del links[where]
            case 1:
                links.insert(where, dict(links[dice.randrange(len(links))]))
            case 2:
                links[where] = dict(foreign[where % 3])
            case 3:
                link["type"] = dice.choice(["SIGNER", "ECDSA_EPHEMERAL", "ECDSA_SIGNED_ENTITY", "OTHER"])
            case 4:
                link["payload"] = dice.choice([link["payload"].lower(), link["payload"].upper(), link["payload"] + " "])
            case 5:
                link["payload"] = link["payload"].replace("\n", dice.choice(["\r\n", "\n\n", "\r"]))
            case 6 if link["signature"]:
                v = int(link["signature"][-2:], 16)
                link["signature"] = f"{link['signature'][:-2]}{dice.choice([v - 27, v, 55 - v, 29, v + 27]) % 256:02x}"
            case 7 if link["signature"]:
                link["signature"] = dice.choice(
                    ["0x" + link["signature"][2:].upper(), link["signature"][:-2], "0x", ""]
                )
            case 8:
                at = dice.randrange(len(link["payload"]))
                link["payload"] = link["payload"][:at] + dice.choice("0aZ ") + link["payload"][at + 1 :]
            case _:
                link["more"] = dice.random()
    return json.dumps(links)


def test_on_changed_chains_both_say_the_same(ask: Ask) -> None:
    dice = random.Random(3)
    chains = [mutated(dice) for _ in range(300)]
    times = [dice.choice([NOW, NOW, EXPIRES - 0.001, EXPIRES]) for _ in chains]
    theirs = [answer["ok"] for answer in ask([validation(c, "p", at) for c, at in zip(chains, times, strict=True)])]
    ours = [we_accept(chain, "p", at) for chain, at in zip(chains, times, strict=True)]
    assert 50 < sum(theirs) < 250
    differ = [(c, o, t) for c, o, t in zip(chains, ours, theirs, strict=True) if o != t]
    assert differ == []


def stricter() -> list[tuple[str, str, str]]:
    """Chains that the reference accepts and we don't: what, the chain, its payload."""
    login = login_payload(EPHEMERAL.address, EXPIRES)
    signature = ROOT.sign("p")
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    flipped = f"{signature[:66]}{order - int(signature[66:130], 16):064x}{55 - int(signature[130:], 16):02x}"
    signer = {"type": "SIGNER", "payload": ROOT.address, "signature": ""}

    def link(kind: str, payload: str, signed: str) -> dict[str, str]:
        return {"type": f"ECDSA_{kind}", "payload": payload, "signature": signed}

    return [
        ("nothing is signed", json.dumps([{**signer, "payload": "dcl-0.x"}]), "dcl-0.x"),
        ("nothing but a login", json.dumps([signer, link("EPHEMERAL", login, ROOT.sign(login))]), EPHEMERAL.address),
        ("an address that was signed signs", json.dumps([
            signer, link("SIGNED_ENTITY", OTHER.address, ROOT.sign(OTHER.address)),
            link("SIGNED_ENTITY", "p", OTHER.sign("p"))]), "p"),
        ("high s", json.dumps([signer, link("SIGNED_ENTITY", "p", flipped)]), "p"),
    ]  # fmt: skip


def test_where_we_are_stricter(ask: Ask) -> None:
    cases = stricter()
    answers = ask([validation(chain, payload) for _, chain, payload in cases])
    for (what, chain, payload), answer in zip(cases, answers, strict=True):
        assert answer["ok"], what
        assert not we_accept(chain, payload, NOW), what


DATES = [
    "2030-06-15T12:34:56", "2030-06-15T12:34", "2030-06-15T12:34Z", "2030-06-15T12:34:56+0000", "2030-06-15t12:34:56z",
    "2030-06-15T12:34:56.1234567", "2030-06-15", "2030-06-15 12:34:56", "+012030-06-15T12:34:56Z",
    "12030-06-15T12:34:56Z", "2030-06-15T12:34:56+00", "2030-06-15T12Z", "2030-06-15T12:34:60Z", "in ten years",
]  # fmt: skip


def test_dates_are_read_as_javascript_reads_them_in_utc(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    chains = []
    for date in DATES:
        login = f"Decentraland Login\nEphemeral address: {EPHEMERAL.address}\nExpiration: {date}"
        links = (AuthLink(AuthLinkType.SIGNER, ROOT.address), AuthLink(AuthLinkType.EPHEMERAL, login, ROOT.sign(login)))
        signed = AuthLink(AuthLinkType.SIGNED_ENTITY, "p", EPHEMERAL.sign("p"))
        chains.append(AuthChain((*links, signed)).to_json())
    theirs = [answer["ok"] for answer in ask([validation(chain, "p") for chain in chains])]
    assert [we_accept(chain, "p", NOW) for chain in chains] == theirs
    assert (theirs.count(True), theirs.count(False)) == (9, 5)


URLS = [
    "https://realm.example",
    "HTTPS://Realm.Example:8443/A/b?C=d#e",
    "https://realm.example/worlds/ä😀.dcl.eth/comms?x=ü",
    "https://realm.example/a{b}^`|<>\"'~!$&()*+,;=:@[]",
    "https://realm.example/100%/%zz/%4a%C3%A4",
    "https://realm.example//a//.../b..c",
    "http://127.0.0.1:8000/get-scene-adapter",
]


def test_the_middleware_accepts_our_requests(ask: Ask) -> None:
    now = time.time()
    me = identity(expires=now + 3600.0)
    metadata = [
        None, login_metadata(), login_metadata(secret="Pä$$wörd 😀 İ"), '{ "a" : 1,  "B":"Ç" }',
        scene_metadata(scene_id="bafkreiSceneIdMixedCase", realm_name="Main", parcel=(-7, 2)),
    ]  # fmt: skip
    asked = [("POST", url, None, 0.0) for url in URLS]
    asked += [("get", URLS[2], extra, seconds) for extra in metadata for seconds in (-50.0, 50.0)]

    def question(kind: str, method: str, url: str, extra: Any, seconds: float) -> dict[str, Any]:
        headers = signed_fetch_headers(
            me, method, url, unix_now=now + seconds, metadata=extra, folded=kind == "request"
        )
        return {"ask": kind, "method": method, "url": request_url(url), "headers": headers}

    # This one is of before 2026.
    older = [question("request", *one) for one in asked]
    for sent, answer in zip(older, ask(older), strict=True):
        assert answer["ok"], (sent["url"], answer)
        assert answer["auth"] == ROOT.address.lower()
        assert answer["authMetadata"] == json.loads(sent["headers"]["x-identity-metadata"])
    today = [question("verbatim", *one) for one in asked]
    for sent, answer in zip(today, ask(today), strict=True):
        assert answer["ok"], (sent["url"], answer)


def test_the_middleware_refuses_what_it_should(ask: Ask) -> None:
    now = time.time()
    me = identity(expires=now + 3600.0)
    good = signed_fetch_headers(me, "POST", URLS[1], unix_now=now)
    old = signed_fetch_headers(me, "POST", URLS[1], unix_now=now - 70.0)
    capitals = signed_fetch_headers(me, "POST", URLS[1], unix_now=now, metadata=login_metadata())
    question = {"ask": "request", "method": "POST", "url": URLS[1], "headers": good}
    answers = ask(
        [
            question,
            {**question, "method": "GET"},
            {**question, "url": URLS[0]},
            {**question, "headers": good | {"x-identity-metadata": '{"a":1}'}},
            {**question, "headers": capitals},
            {**question, "headers": old},
        ]
    )
    assert [answer.get("status", 200) for answer in answers] == [200, 401, 401, 401, 401, 401]
    # What it says of today's form is what has us sign in its own.
    refused = read_answer(401, {}, json.dumps({"error": answers[-2]["message"]}), unix_now=now)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.SIGNATURE
    assert answers[-1]["message"].startswith("Expired signature")


def test_our_urls_are_what_javascript_requests(ask: Ask) -> None:
    for url, theirs in zip(URLS, ask([{"ask": "url", "url": request_url(url)} for url in URLS]), strict=True):
        assert theirs["href"] == request_url(url), url


def test_a_realm_lets_in_whom_javascript_signed_for(ask: Ask) -> None:
    from dcl_comms_drivers.realm.embedded import realm_in_thread
    from websockets.sync.client import connect

    from dcl_comms_core import (
        ChallengeRequestMessage,
        ClientPacket,
        Fetch,
        ServerPacket,
        SignedChallengeMessage,
        decode_message,
        encode,
    )

    def sign(payload: str) -> dict[str, Any]:
        later = round((time.time() + 600.0) * 1000)
        who = {"root": private(ROOT), "ephemeral": private(EPHEMERAL), "expiration": later}
        answer: dict[str, Any] = ask([{"ask": "sign", **who, "payload": payload}])[0]
        return answer

    with realm_in_thread(livekit=False) as realm:
        with connect(realm.url.replace("http", "ws") + "/archipelago/ws", compression=None) as socket:

            def say(**fields: Any) -> ServerPacket:
                socket.send(encode(ClientPacket(**fields)))
                return decode_message(ServerPacket, socket.recv(timeout=10))  # type: ignore[arg-type]  # bytes

            challenge = say(challenge_request=ChallengeRequestMessage(ROOT.address)).challenge_response
            assert challenge is not None
            text = sign(challenge.challenge_to_sign)["json"]
            welcome = say(signed_challenge=SignedChallengeMessage(text)).welcome
            assert welcome is not None
            assert welcome.peer_id == ROOT.address.lower()
        stamp, metadata = round(time.time() * 1000), json.dumps(login_metadata())
        today = f"post:/worlds/foo/comms:{stamp}:{metadata}"
        assert today != today.lower()
        for payload in (today, today.lower()):  # the older form too
            headers = {
                f"x-identity-auth-chain-{index}": json.dumps(link) for index, link in enumerate(sign(payload)["chain"])
            }
            headers |= {"x-identity-timestamp": str(stamp), "x-identity-metadata": metadata}
            request = Fetch(url=f"{realm.url}/worlds/foo/comms", method="POST", headers=tuple(headers.items()))
            answer = asyncio.run(fetch(request))
            assert (answer.status, list(json.loads(answer.body))) == (200, ["fixedAdapter"])
