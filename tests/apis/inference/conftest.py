import pytest

from tests.apis.inference.classifiers import load_model, write_work_dir
from uniemox_mm import EmotionInferencer


@pytest.fixture(scope='session')
def work_dir(tmp_path_factory):
    """A fine-tuned classifier that no test may change."""
    return write_work_dir(tmp_path_factory.mktemp('inference') / 'ft')


@pytest.fixture(scope='session')
def model(work_dir):
    return load_model(work_dir)


@pytest.fixture(scope='session')
def infer(work_dir):
    return EmotionInferencer(work_dir, device='cpu')
