"""Overrides on command lines."""

import argparse
import re

import pytest

from tests.helpers import ROOT
from uniemox_mm.engine.cfg_options import CfgOptions


def parse(*texts):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions)
    return parser.parse_args(['--cfg-options', *texts]).cfg_options


def test_values_equal_mmengines():
    assert parse('a.b=1', 'c=[x,2]', 'd==') == {
        'a.b': 1,
        'c': ['x', 2],
        'd': '=',
    }


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        (['a'], "'a': expected KEY=VALUE"),
        (['a=1', '=2'], "'=2': expected KEY=VALUE"),
        (['a=[(1,2],3'], 'brackets'),
    ],
)
def test_invalid_overrides_are_usage_errors(capsys, texts, message):
    with pytest.raises(SystemExit) as stopped:
        parse(*texts)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert 'argument --cfg-options: ' in error and message in error


def test_every_tool_uses_cfg_options():
    sources = [
        path.read_text()
        for folder in ('tools', 'uniemox_mm')
        for path in (ROOT / folder).rglob('*.py')
    ]
    actions = re.findall(r'action=(\w*(?:Dict|Cfg)\w+)', '\n'.join(sources))
    assert len(actions) > 5 and set(actions) == {'CfgOptions'}
