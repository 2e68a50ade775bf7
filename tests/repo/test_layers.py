"""ARCHITECTURE.md's table of packages is what the code does, and nothing in the house goes up or round in a circle."""

from __future__ import annotations

from pathlib import Path

import pytest
import structure

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout():
    return structure.Checkout.of(ROOT)


def test_the_table_and_the_code_are_both_read(checkout):
    assert {row.area for row in checkout.rows} == {"core", "drivers"}
    assert {edge.kind for edge in checkout.edges} == {"run", "lazy", "types"}
    assert {checkout.area(edge.source) for edge in checkout.edges} == set(structure.HELD)


def test_every_import_is_one_that_its_packages_row_allows(checkout):
    assert list(structure.forbidden(checkout)) == []


def test_every_import_that_a_row_allows_is_used(checkout):
    assert list(structure.idle(checkout)) == []


def test_every_package_and_root_module_has_a_row(checkout):
    assert list(structure.homeless(checkout)) == []


def test_every_row_has_a_package_unless_it_is_to_come(checkout):
    assert list(structure.empty(checkout)) == []


def test_imports_go_down(checkout):
    assert list(structure.upwards(checkout)) == []


def test_nothing_imports_the_face_above_it(checkout):
    assert list(structure.to_faces(checkout)) == []


def test_no_files_import_one_another_in_a_circle(checkout):
    assert list(structure.knots(checkout)) == []


def test_no_folder_has_more_modules_than_can_be_looked_through(checkout):
    assert list(structure.crowded(checkout)) == []
