"""Chains of any wallet over any payload come back valid, and no changed chain does."""

from __future__ import annotations

import json
from typing import Any

from dcl_comms_drivers.wallet.ethereum import EthereumKey
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.chains import EPHEMERAL, NOW, OTHER, ROOT, VERIFIER, identity

from dcl_comms_core import AuthChain, InvalidAuthChain, Limits

keys = st.integers(1, 2**255).map(lambda number: EthereumKey(number.to_bytes(32)))
payloads = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
seconds = st.floats(1e-3, 1e9)

CHAIN = identity().sign("dcl-0.4fzyo82mvyr")
LINKS = json.loads(CHAIN.to_json())
FOREIGN = json.loads(identity(OTHER, ROOT).sign("dcl-0.4fzyo82mvyr").to_json())
TYPES = ["SIGNER", "ECDSA_EPHEMERAL", "ECDSA_SIGNED_ENTITY", "ECDSA_EIP_1654_EPHEMERAL", "ECDSA_EIP_1654_SIGNED_ENTITY"]


@settings(max_examples=40)
@given(keys, keys, payloads, seconds)
def test_what_is_built_is_valid_after_the_way_through_json(
    root: EthereumKey, ephemeral: EthereumKey, payload: str, left: float
) -> None:
    chain = identity(root, ephemeral, NOW + left).sign(payload)
    again = AuthChain.from_json(chain.to_json(), limits=Limits(auth_chain_chars=100_000))
    assert again == chain
    assert again.validate(payload, unix_now=NOW, verifier=VERIFIER) == root.address.lower()


@st.composite
def mutations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The chain with one thing changed: a link dropped, doubled, moved or foreign, or one field of one link."""
    links = [dict(link) for link in LINKS]
    where = draw(st.integers(0, 2))
    match draw(st.sampled_from(["drop", "double", "swap", "foreign", "type", "character", "bit"])):
        case "drop":
            del links[where]
        case "double":
            links.insert(where, links[where])
        case "swap":
            other = (where + draw(st.integers(1, 2))) % 3
            links[where], links[other] = links[other], links[where]
        case "foreign":
            links[where] = FOREIGN[where]
        case "type":
            links[where]["type"] = draw(st.sampled_from([name for name in TYPES if name != links[where]["type"]]))
        case "character":
            text = links[where]["payload"]
            at = draw(st.integers(0, len(text) - 1))
            # Letter case of the wallet's address is the one thing that means nothing.
            new = draw(st.characters(exclude_categories=["Cs"]).filter(lambda c: c.lower() != text[at].lower()))
            links[where]["payload"] = text[:at] + new + text[at + 1 :]
        case "bit":
            where = draw(st.integers(1, 2))
            raw = bytearray.fromhex(links[where]["signature"][2:])
            # v has four spellings for two values, so there the lowest bit has to change.
            bit = draw(st.integers(0, 64 * 8))
            raw[bit // 8] ^= 1 << bit % 8 if bit < 64 * 8 else raw[64] ^ (55 - raw[64])
            links[where]["signature"] = f"0x{raw.hex()}"
    return links


def test_the_unchanged_chain_is_valid() -> None:
    assert CHAIN.validate(CHAIN.payload, unix_now=NOW, verifier=VERIFIER) == ROOT.address.lower()
    assert EPHEMERAL.address in LINKS[1]["payload"]


@settings(max_examples=200)
@given(mutations())
def test_a_changed_chain_is_refused(links: list[dict[str, Any]]) -> None:
    try:
        chain = AuthChain.from_json(json.dumps(links))
        chain.validate(CHAIN.payload, unix_now=NOW, verifier=VERIFIER)
    except InvalidAuthChain:
        return
    raise AssertionError(links)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
hostile_links = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES) | json_values,
        "payload": st.sampled_from([link["payload"] for link in LINKS]) | json_values,
        "signature": st.sampled_from([link["signature"] for link in LINKS]) | json_values,
        "more": json_values,
    },
)


@settings(max_examples=100)
@given(st.lists(hostile_links, max_size=5).map(json.dumps) | json_values.map(json.dumps) | st.text(max_size=100))
def test_whatever_comes_only_invalid_auth_chain_is_raised(text: str) -> None:
    try:
        chain = AuthChain.from_json(text)
        chain.validate(chain.payload, unix_now=NOW, verifier=VERIFIER)
    except InvalidAuthChain:
        return
    # Strategies may put the true chain together again, or a shorter one of what was truly signed.
    assert {link.signature for link in chain.links[1:]} <= {link.signature for link in CHAIN.links[1:]}
