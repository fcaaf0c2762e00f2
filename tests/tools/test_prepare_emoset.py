"""tools/dataset_converters/prepare_emoset.py as a user runs it."""

import json

import numpy as np
import pytest
from drawn_emoset import draw_emoset
from mmengine.config import Config

from tests.helpers import ROOT, tiny_config
from tests.processes import kill_after, run
from uniemox_mm.datasets import EmoSet

TOOL = 'tools/dataset_converters/prepare_emoset.py'

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_prepare_then_train_by_one_changed_line(
    narrow_yolov3, drawn, tmp_path
):
    cfg = tiny_config(drawn, tmp_path / 'work')
    cfg.train_dataloader.dataset.persons = None
    cfg.train_cfg.max_epochs = 1
    del cfg.default_hooks.text_features['folder']
    cfg.dump(tmp_path / 'raw.py')
    config, weights = narrow_yolov3
    out = tmp_path / 'out'
    result = run(
        *(TOOL, drawn, '--out', out, '--short-side', 48),
        *('--config', config, '--weights', weights, '--confidence', 0.9),
        *('--images', 'lmdb', '--text-features', tmp_path / 'raw.py'),
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert f'{out}/train.json: 24 of 24 images, people in ' in result.stdout
    assert 'No problems.' in lines
    boxes = json.loads((out / 'persons.json').read_text())['data_list']
    by_name = {e['img_path']: e['persons'] for e in boxes}
    dataset = EmoSet(str(out), ['train', 'val'])
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        name = info['img_path'].removeprefix(f'{out}/')
        assert info['persons'] == by_name[name]
    assert sum(map(len, by_name.values())) > 10
    features = out / 'text_features_train+val/features.safetensors'
    written = features.stat().st_mtime_ns
    text = (tmp_path / 'raw.py').read_text()
    (tmp_path / 'ours.py').write_text(text.replace(str(drawn), str(out)))
    result = run('tools/train.py', tmp_path / 'ours.py')
    assert result.returncode == 0, result.stderr
    assert 'person stream sees whole images' not in result.stdout
    assert features.stat().st_mtime_ns == written
    arguments = ('--out', out, '--text-features')
    repeat = (TOOL, drawn, *arguments, tmp_path / 'raw.py', '--images', 'lmdb')
    result = run(
        *(*repeat, '--short-side', 48, '--config', config),
        *('--weights', weights, '--confidence', 0.9),
    )
    assert result.returncode == 0, result.stderr
    assert 'was prepared before and stays as it is' in result.stdout
    assert f'{features.parent}: is there already' in result.stdout
    assert (tmp_path / 'work/epoch_1.pth').is_file()


@pytest.mark.long
def test_killed_run_resumes(tmp_path):
    raw = draw_emoset(tmp_path / 'raw', train=320, val=8, test=8, size=64)

    def command(out):
        return [
            *(TOOL, str(raw), '--out', str(out)),
            *('--short-side', '48', '--workers', '1'),
            *('--persons', str(raw / 'persons.json')),
        ]

    out, whole = tmp_path / 'out', tmp_path / 'whole'
    assert run(*command(whole)).returncode == 0
    for at_least in (1, 3, 5):
        kill_after(at_least, out / '.parts', out, *command(out))
    result = run(*command(out))
    assert result.returncode == 0, result.stderr
    files = {p.relative_to(whole) for p in whole.rglob('*') if p.is_file()}
    assert len(files) == 340
    assert files == {p.relative_to(out) for p in out.rglob('*') if p.is_file()}
    for file in files:
        assert (out / file).read_bytes() == (whole / file).read_bytes()


def test_printed_report(own_drawn, tmp_path):
    row = json.loads((own_drawn / 'test.json').read_text())[2]
    (own_drawn / row[1]).write_bytes(b'')
    result = run(
        TOOL, own_drawn, '--out', tmp_path / 'out', '--splits', 'test'
    )
    assert result.returncode == 0, result.stderr
    assert f'{tmp_path}/out/test.json: 7 of 8 images' in result.stdout
    assert (
        f'  {own_drawn / row[1]}: the file is empty -> the row is left out'
        in result.stdout.splitlines()
    )


def test_unreadable_split(own_drawn, tmp_path):
    (own_drawn / 'val.json').write_text('{bad')
    result = run(TOOL, own_drawn, '--out', tmp_path / 'out')
    assert result.returncode == 1
    assert f'{own_drawn}/val.json: LEFT OUT: not valid' in result.stdout
    assert (tmp_path / 'out/train.json').is_file()


def test_errors_are_one_line(drawn, tmp_path):
    result = run(TOOL, drawn / 'image', '--out', tmp_path / 'out')
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f'FileNotFoundError: {drawn}/image: has none of')
    result = run(TOOL, drawn, '--out', tmp_path / 'o', '--config', 'x.py')
    assert result.returncode == 1
    assert 'a detector needs weights' in result.stderr


def test_paper_config_reads_both_formats(drawn, tmp_path):
    from uniemox_mm.preparation.prepare_emoset import prepare_emoset

    prepare_emoset(drawn, tmp_path / 'out', short_side=48)
    cfg = Config.fromfile(ROOT / 'configs/uniemox_vit-l_pretrain.py')
    samples = []
    for root in (drawn, tmp_path / 'out'):
        dataset = {**cfg.train_dataloader.dataset, 'data_root': str(root)}
        dataset.pop('type')
        dataset = EmoSet(**dataset)
        dataset.set_epoch(0, 0)
        samples.append(dataset[5])
    raw, prepared = (s['data_samples'] for s in samples)
    assert prepared.caption == raw.caption
    assert [view.shape for view in samples[0]['inputs']] == [
        view.shape for view in samples[1]['inputs']
    ]
    # Without boxes the person view is the whole picture, of 64 pixels in the
    # one and 48 in the other; scenes are cropped at different pixels.
    a, b = (np.float64(s['inputs'][1]).ravel() for s in samples)
    assert np.corrcoef(a, b)[0, 1] > 0.97
