"""What the command writes, where and when."""

import json
import logging

import pytest
from mmengine.logging import MMLogger, print_log
from PIL import Image

from tests.apis.classifiers import photo
from tests.test_main import predict
from uniemox_mm.apis import predict_command
from uniemox_mm.datasets.inference_pipeline import InferencePipeline


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for i in range(3):
        Image.fromarray(photo(i)).save(folder / f'{i}.png')
    return folder


def test_lines_are_there_before_the_last_image(
    capsys, work_dir, photos, tmp_path, monkeypatch
):
    """Whoever stops it keeps what is done; a file is whole or not there."""
    prepare = InferencePipeline.__call__

    def stop_at_the_last(self, source):
        if source.path.endswith('2.png'):
            raise KeyboardInterrupt
        return prepare(self, source)

    monkeypatch.setattr(InferencePipeline, '__call__', stop_at_the_last)
    options = [photos, '--checkpoint', work_dir, '--batch-size', 1, '--json']
    with pytest.raises(KeyboardInterrupt):
        predict(capsys, *options)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row['path'] for row in rows] == [
        str(photos / f'{i}.png') for i in range(2)
    ]
    with pytest.raises(KeyboardInterrupt):
        predict(capsys, *options, '--out', tmp_path / 'out' / 'a.jsonl')
    assert not list((tmp_path / 'out').iterdir())


def test_a_file_that_cannot_be_written(capsys, photos, tmp_path):
    """Is said before the model is even looked for."""
    options = [photos, '--checkpoint', tmp_path / 'gone.pth', '--out']
    folder = tmp_path / 'a.json'
    folder.mkdir()
    found = predict(capsys, *options, folder)
    assert found == (2, '', f'{folder}: is a folder; expected a file\n')
    code, out, err = predict(capsys, *options, photos / '0.png' / 'b.json')
    assert (code, out) == (2, '') and f"'{photos}/0.png" in err


def test_stdout_is_json_only(capsys, work_dir, photos, monkeypatch):
    made = predict_command.EmotionInferencer

    def talkative(*arguments, **settings):
        print_log('a warning', logger='current', level=logging.WARNING)
        print('a remark')
        return made(*arguments, **settings)

    logger = MMLogger.get_current_instance()
    streams = [h.stream for h in logger.handlers if hasattr(h, 'stream')]
    monkeypatch.setattr(predict_command, 'EmotionInferencer', talkative)
    code, out, err = predict(
        capsys, photos, '--checkpoint', work_dir, '--json'
    )
    names = [json.loads(line)['path'] for line in out.splitlines()]
    assert code == 0 and names == [str(photos / f'{i}.png') for i in range(3)]
    assert 'a warning' in err and 'a remark' in err
    assert streams == [
        h.stream for h in logger.handlers if hasattr(h, 'stream')
    ]
