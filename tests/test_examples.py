"""The examples in the docstrings run and print what they say."""

import importlib
import pkgutil

import pytest
import xdoctest

import uniemox_mm

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(uniemox_mm.__path__, 'uniemox_mm.')
)


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    importlib.import_module(name)
    summary = xdoctest.doctest_module(name, command='all', verbose=0)
    assert summary['n_failed'] == 0, summary


def test_there_are_examples():
    found = [
        example
        for name in MODULES
        for example in xdoctest.core.parse_doctestables(name)
    ]
    assert len(found) >= 3
