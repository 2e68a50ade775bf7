"""Who we are, as Pulse wants it proved."""

from __future__ import annotations

import json
from math import nan

import pytest
from rigs.core.chains import NOW, VERIFIER, identity

from dcl_comms_core import AuthChain, AuthLink, AuthLinkType, LocalProtocolError
from dcl_comms_core.pulse.handshake import Proof


def test_it_is_a_signed_request_to_connect_as_one_json_object() -> None:
    proof = Proof()
    payload = proof.payload(NOW + 0.25)
    assert payload == "connect:/:1700000000250:{}"
    told = json.loads(proof.encoded(identity().sign(payload)))
    assert told.keys() == {f"x-identity-auth-chain-{n}" for n in range(3)} | {
        "x-identity-timestamp",
        "x-identity-metadata",
    }
    assert (told["x-identity-timestamp"], told["x-identity-metadata"]) == ("1700000000250", "{}")
    links = [json.loads(told[f"x-identity-auth-chain-{n}"]) for n in range(3)]
    chain = AuthChain(tuple(AuthLink(AuthLinkType(one["type"]), one["payload"], one["signature"]) for one in links))
    assert chain.validate(payload, unix_now=NOW, verifier=VERIFIER) == identity().address.lower()


def test_no_two_have_the_same_time() -> None:
    proof = Proof()
    stamps = [int(proof.payload(at).split(":")[2]) for at in (NOW, NOW, NOW - 5.0, NOW + 1.0)]
    first = round(NOW * 1000)
    assert stamps == [first, first + 1, first + 2, first + 1000]


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="finite number of seconds"):
        Proof().payload(nan)
