import pytest
from loader_speed.forms import prepared_forms, write_download
from loader_speed.photographs import photographs
from mmengine.config import Config

from tests.helpers import ROOT


@pytest.fixture(scope='session')
def config():
    return Config.fromfile(ROOT / 'configs/uniemox_vit-b_pretrain.py')


@pytest.fixture(scope='session')
def forms(tmp_path_factory):
    """Four photographs in all forms."""
    folder = tmp_path_factory.mktemp('forms')
    raw = write_download(folder / 'raw', photographs(4))
    return [raw, *prepared_forms(raw, folder, 320, workers=0)]
