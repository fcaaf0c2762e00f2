import shutil

import pytest
from PIL import Image

from tests.apis.classifiers import load_model, photo, write_work_dir
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


@pytest.fixture
def own(work_dir, tmp_path):
    """A copy of the work dir to change."""
    return shutil.copytree(work_dir, tmp_path / 'own')


@pytest.fixture
def folder(tmp_path):
    """Four images, one of them broken, beside hidden and other files."""
    root = tmp_path / 'photos'
    (root / 'below').mkdir(parents=True)
    (root / '.hidden').mkdir()
    for seed, name in enumerate(
        ('b.png', 'a.png', 'below/a.png', '.hidden/h.png', '.h.png')
    ):
        Image.fromarray(photo(seed)).save(root / name)
    (root / 'c.jpg').write_text('not an image')
    (root / 'notes.txt').write_text('ignored')
    return root
