"""What ``dcl_comms_core`` loads when it is asked for is there like all else."""

from __future__ import annotations

import pytest

import dcl_comms_core


def test_every_public_name_is_there_and_is_listed() -> None:
    assert set(dcl_comms_core.__all__) <= set(dir(dcl_comms_core))
    for name in dcl_comms_core.__all__:
        assert getattr(dcl_comms_core, name) is not None


def test_a_name_that_is_none_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'dcl_comms_core' has no attribute 'Journals'"):
        dcl_comms_core.Journals  # type: ignore[attr-defined]  # noqa: B018
