"""What is said where a package of an extra is missing."""

from __future__ import annotations

import pytest

from dcl_comms_core.errors import ExtraMissing
from dcl_comms_core.tools.extras import needs


def test_a_missing_package_is_named_with_what_installs_it():
    with (
        pytest.raises(ExtraMissing, match=r'nowhere is not installed: pip install "dcl-comms\[net\]"') as caught,
        needs("net"),
    ):
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_one_that_has_no_name():
    with pytest.raises(ExtraMissing, match="a package is not installed"), needs("net"):
        raise ModuleNotFoundError("gone")


def test_anything_else_goes_through():
    with pytest.raises(ExtraMissing, match="inner"), needs("outer"), needs("inner"):
        raise ModuleNotFoundError("No module named 'deep'", name="deep")
    with pytest.raises(ZeroDivisionError), needs("net"):
        raise ZeroDivisionError
    with needs("net"):
        pass
