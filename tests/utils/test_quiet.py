"""Silence that leaves the process's setting as it was."""

import logging

import pytest
from mmengine.logging import MMLogger

from uniemox_mm.utils.quiet import quiet_logging


@pytest.fixture(autouse=True)
def _restored():
    yield
    logging.disable(logging.NOTSET)


def silent_up_to():
    return logging.root.manager.disable


@pytest.mark.parametrize('before', [logging.NOTSET, logging.ERROR])
def test_the_setting_is_restored(before):
    logging.disable(before)
    with quiet_logging():
        assert silent_up_to() == max(before, logging.INFO)
        with quiet_logging():
            pass
        assert silent_up_to() == max(before, logging.INFO)
    assert silent_up_to() == before
    with pytest.raises(KeyError), quiet_logging():
        raise KeyError
    assert silent_up_to() == before


@pytest.mark.parametrize('first', ['silent', 'heard'])
def test_mmengines_loggers_obey(first, monkeypatch):
    logger = MMLogger(name='test_quiet')
    monkeypatch.setitem(MMLogger._instance_dict, 'test_quiet', logger)
    if first == 'heard':
        assert logger.isEnabledFor(logging.INFO)
    with quiet_logging():
        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.INFO)


def test_threads_may_leave_in_any_order():
    first, second = quiet_logging(), quiet_logging()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert silent_up_to() == logging.INFO
    second.__exit__(None, None, None)
    assert silent_up_to() == logging.NOTSET
