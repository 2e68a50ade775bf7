"""Signed requests from their other end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rigs.core.chains import EPHEMERAL, NOW, OTHER, ROOT, VERIFIER, identity

from dcl_comms_core import (
    DEFAULT_LIMITS,
    Refusal,
    RefusalReason,
    RequestRefused,
    SignedRequest,
    login_metadata,
    read_answer,
    read_signed_request,
    scene_metadata,
    signed_fetch_headers,
)

URL = "https://realm.example/worlds/Foo.dcl.eth/comms?x=1"
PATH = "/worlds/Foo.dcl.eth/comms"


def headers(metadata: Any = None, *, at: float = NOW, url: str = URL, **changes: str | None) -> dict[str, str]:
    made = signed_fetch_headers(identity(), "POST", url, unix_now=at, metadata=metadata)
    for name, value in changes.items():
        if value is None:
            del made[name.replace("_", "-")]
        else:
            made[name.replace("_", "-")] = value
    return made


def read(given: dict[str, str], *, method: str = "post", path: str = PATH, now: float = NOW) -> Any:
    return read_signed_request(method, path, given, unix_now=now, verifier=VERIFIER, limits=DEFAULT_LIMITS)


@pytest.mark.parametrize("metadata", [None, login_metadata(secret="Pä$$ 😀"), '{ "A" : 1 }'])
def test_who_asks_and_what_it_says(metadata: Any) -> None:
    asks = read(headers(metadata))
    assert isinstance(asks, SignedRequest)
    assert asks.address == ROOT.address.lower()
    assert asks.metadata == ({"A": 1} if isinstance(metadata, str) else metadata or {})


def test_the_method_counts_in_any_case() -> None:
    assert isinstance(read(headers(), method="POST"), SignedRequest)


@pytest.mark.parametrize(
    ("seconds", "first_words"),
    [
        (-86_400.0, "Invalid signature: its timestamp is in the future"),
        (-60.01, "Invalid signature: its timestamp is in the future"),
        (-60.0, None),
        (0.0, None),
        (60.0, None),
        (60.01, "Expired signature"),
    ],
)
def test_how_old_and_how_new_a_request_may_be(seconds: float, first_words: str | None) -> None:
    asks = read(headers(), now=NOW + seconds)
    assert isinstance(asks, SignedRequest) is (first_words is None)
    if first_words is not None:
        assert asks.status == 401
        assert asks.text.startswith(first_words)
        # And our own client makes of it what it is.
        refused = read_answer(asks.status, {}, json.dumps({"error": asks.text}), unix_now=NOW)
        assert isinstance(refused, Refusal)
        assert refused.reason is RefusalReason.CLOCK


@pytest.mark.parametrize("folded", [False, True])
def test_both_forms_are_taken(folded: bool) -> None:
    metadata = scene_metadata(scene_id="bafkreiABC", realm_name="Main", parcel=(1, 2))
    asks = read(signed_fetch_headers(identity(), "POST", URL, unix_now=NOW, metadata=metadata, folded=folded))
    assert asks == (ROOT.address.lower(), metadata)


def test_who_signed_the_metadata_as_it_is_signed_its_case_too() -> None:
    given = headers('{"signer":"A"}')
    assert isinstance(read(given | {"x-identity-metadata": '{"Signer":"A"}'}), RequestRefused)


def foreign_link() -> str:
    return signed_fetch_headers(identity(OTHER, EPHEMERAL), "POST", URL, unix_now=NOW)["x-identity-auth-chain-1"]


@pytest.mark.parametrize(
    ("given", "status", "text"),
    [
        ({}, 400, "Invalid Auth Chain"),
        (headers(x_identity_auth_chain_0=None), 400, "Invalid Auth Chain"),
        (headers(x_identity_auth_chain_1=None), 400, "Invalid Auth Chain"),
        (headers(x_identity_auth_chain_1="{"), 400, "Invalid Auth Chain"),
        (headers(x_identity_auth_chain_1="x" * 20_000), 400, "Invalid Auth Chain"),
        # Two links in one header.
        (headers(x_identity_auth_chain_0=headers()["x-identity-auth-chain-0"] + "," + foreign_link()), 400, "Invalid"),
        (headers(x_identity_timestamp=None), 400, "Invalid chain timestamp"),
        (headers(x_identity_timestamp="now"), 400, "Invalid chain timestamp"),
        (headers(x_identity_timestamp="1e99"), 400, "Invalid chain timestamp"),
        (headers(x_identity_timestamp=f"{NOW:.0f}"), 401, "Expired signature"),
        (headers(x_identity_metadata="{"), 400, "Invalid chain metadata"),
        (headers(x_identity_metadata="[]"), 400, "Invalid chain metadata"),
        (headers(x_identity_metadata="[" * 5_000), 400, "Invalid chain metadata"),
        (headers(x_identity_metadata='{"a":1}'), 401, "Invalid signature"),
        (headers(x_identity_metadata=None), 401, "Invalid signature"),
        (headers(x_identity_auth_chain_1=foreign_link()), 401, "Invalid signature"),
        (headers(url=URL.replace("Foo", "Bar")), 401, "Invalid signature"),
    ],
)
def test_what_proves_nothing(given: dict[str, str], status: int, text: str) -> None:
    refused = read(given)
    assert isinstance(refused, RequestRefused)
    assert refused.status == status
    assert refused.text.startswith(text)


def test_no_metadata_is_signed_as_nothing() -> None:
    stamp = f"{NOW * 1000:.0f}"
    chain = identity().sign(f"post:{PATH.lower()}:{stamp}:")
    given = {f"x-identity-auth-chain-{index}": link.to_json() for index, link in enumerate(chain.links)}
    assert read(given | {"x-identity-timestamp": stamp}) == (ROOT.address.lower(), {})


def test_an_old_request_is_refused_before_its_signatures_are_looked_at() -> None:
    class Unasked:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    refused = read_signed_request(
        "post", PATH, headers(), unix_now=NOW + 61.0, verifier=Unasked(), limits=DEFAULT_LIMITS
    )
    assert isinstance(refused, RequestRefused)
