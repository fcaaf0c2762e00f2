"""Fine-tuning, testing and k-NN as a user runs them."""

import csv
import json
import math
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import DATASETS

from tests.datasets.miniatures import write_miniature
from tests.helpers import EMO_MAE, build, execute, tiny_config, tiny_finetune
from uniemox_mm.evaluation import evaluate
from uniemox_mm.weights.read_checkpoint import load_weights

pytestmark = pytest.mark.slow
PYTHON = sys.executable


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Emo8's layout, with an odd number of training images."""
    root = tmp_path_factory.mktemp('data') / 'Emo8'
    write_miniature('Emo8', root, per_class=13, size=32)
    next(root.glob('awe/*.jpg')).unlink()
    return root


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """A checkpoint of pretraining."""
    torch.manual_seed(0)
    model = build(EMO_MAE)
    model.init_weights()
    path = tmp_path_factory.mktemp('pretrained') / 'epoch_3.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    return path


def write(folder, data, name='ft', kill=None, **top):
    cfg = tiny_finetune(data, folder / name, **top)
    if kill:
        cfg.custom_imports.imports.append('tests.kill_hook')
        cfg.custom_hooks = [dict(type='KillHook', **kill)]
    path = folder / f'{name}{"_kill" if kill else ""}.py'
    cfg.dump(path)
    return path


def train(config, *arguments):
    return execute(PYTHON, 'tools/train.py', config, *arguments)


def run_test(config, *arguments):
    return execute(PYTHON, 'tools/test.py', config, *arguments)


@pytest.fixture(scope='module')
def trained(data, pretrained, tmp_path_factory):
    """Config, work dir and console of a whole fine-tuning."""
    folder = tmp_path_factory.mktemp('trained')
    config = write(folder, data)
    result = train(config, '--load-from', pretrained)
    assert result.returncode == 0, result.stdout + result.stderr
    return config, folder / 'ft', result


def test_the_best_epoch_on_val_is_kept(trained):
    _, work_dir, result = trained
    assert 'took 28 tensors of the backbone' in result.stdout
    assert 'No start weights' not in result.stdout
    (best,) = work_dir.glob('best_*.pth')
    values = []
    for path in work_dir.glob('*/vis_data/scalars.json'):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'accuracy/top1' in entry:
                values.append(entry['accuracy/top1'])
    assert len(values) == 3
    assert best.name == f'best_accuracy_top1_epoch_{np.argmax(values) + 1}.pth'


def test_numbers_are_those_of_the_predictions(trained, data, tmp_path):
    config, work_dir, _ = trained
    result = run_test(config, work_dir)
    assert result.returncode == 0, result.stderr
    with (work_dir / 'test' / 'predictions.csv').open() as file:
        rows = list(csv.DictReader(file))
    dataset = DATASETS.build(
        dict(type='Emo8', data_root=str(data), split='test')
    )
    classes = dataset.metainfo['classes']
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [r['image'] for r in rows] == [i['img_path'] for i in infos]
    labels = [classes.index(row['label']) for row in rows]
    assert labels == [info['gt_label'] for info in infos]
    predictions = [classes.index(row['prediction']) for row in rows]
    metrics = json.loads((work_dir / 'test' / 'metrics.json').read_text())
    report = evaluate(labels, predictions, classes)
    assert metrics['top1'] == pytest.approx(report.top1)
    assert metrics['confusion'] == report.confusion
    (best,) = work_dir.glob('best_*.pth')
    assert metrics['checkpoint'] == str(best)
    assert metrics['split'] == 'test' and metrics['dataset'] == 'Emo8'
    assert f'| {report.count} | {report.top1:.2f} |' in result.stdout
    assert (work_dir / 'test' / 'confusion_matrix.png').is_file()


def test_two_processes_measure_what_one_does(trained, tmp_path):
    config, work_dir, _ = trained
    options = ['--split', 'train', '--out']
    one = run_test(config, work_dir, *options, tmp_path / 'one')
    assert one.returncode == 0, one.stderr
    two = execute(
        'bash',
        'tools/dist_test.sh',
        config,
        work_dir,
        2,
        *options,
        tmp_path / 'two',
        '--cfg-options',
        'test_dataloader.batch_size=7',
    )
    assert two.returncode == 0, two.stderr
    first, second = (
        json.loads((tmp_path / name / 'metrics.json').read_text())
        for name in ('one', 'two')
    )
    assert first == second
    assert first['images'] % 2 == 1
    read = [
        list(csv.reader((tmp_path / name / 'predictions.csv').open()))
        for name in ('one', 'two')
    ]
    assert [row[:3] for row in read[0]] == [row[:3] for row in read[1]]


@pytest.mark.parametrize(
    'place',
    [
        pytest.param('second-epoch', marks=pytest.mark.long),
        'last-validation',
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    trained, data, pretrained, tmp_path, place
):
    """With mixup, cutmix and the best epoch."""
    dataset = dict(type='Emo8', data_root=str(data), split='train')
    steps = math.ceil(len(DATASETS.build(dataset)) / 16)
    kill = {
        'second-epoch': dict(place='after_train_iter', count=steps + 3),
        # Its checkpoint is there, the best of it is not.
        'last-validation': dict(place='after_val_iter', count=3),
    }[place]
    kill['sig'] = 'SIGKILL'
    start = ['--load-from', pretrained]
    assert train(write(tmp_path, data, kill=kill), *start).returncode == -9
    result = train(write(tmp_path, data), *start, '--resume')
    assert result.returncode == 0, result.stdout + result.stderr
    _, whole, _ = trained
    found = load_weights(tmp_path / 'ft' / 'epoch_3.pth')
    for key, value in load_weights(whole / 'epoch_3.pth').items():
        torch.testing.assert_close(found[key], value, atol=1e-6, rtol=0)
    again = 'Validating epoch 3 again.' in result.stdout
    assert again == (place == 'last-validation')
    names = {p.name for p in (tmp_path / 'ft').glob('best*')}
    assert names == {p.name for p in whole.glob('best*')}


def test_neighbours_of_a_frozen_encoder(data, pretrained, tmp_path):
    config = write(
        tmp_path,
        data,
        **{
            'model.backbone.out_type': 'cls_token',
            'model.backbone.final_norm': True,
        },
    )
    result = execute(
        PYTHON, 'tools/knn.py', config, pretrained, '--k', 1, 3, '--out',
        tmp_path / 'out',
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert 'took 30 tensors of the backbone' in result.stdout
    cfg = Config.fromfile(config)
    model = build(EMO_MAE).eval()
    model.load_state_dict(load_weights(pretrained))
    features, labels = {}, {}
    for split in ('train', 'test'):
        dataset = DATASETS.build(
            dict(cfg.test_dataloader.dataset, split=split)
        )
        batch = [dataset[i] for i in range(len(dataset))]
        pixels = torch.stack([item['inputs'] for item in batch]).float()
        pixels = model.data_preprocessor(
            dict(inputs=pixels, data_samples=None)
        )['inputs']
        with torch.no_grad():
            cls = model.extract_feat(pixels)[-1][:, 0]
        features[split] = torch.nn.functional.normalize(cls)
        labels[split] = torch.tensor(
            [int(item['data_samples'].gt_label) for item in batch]
        )
    nearest = (features['test'] @ features['train'].T).argmax(1)
    hits = labels['train'][nearest] == labels['test']
    top1 = 100 * hits.float().mean().item()
    (line,) = (x for x in result.stdout.splitlines() if x.startswith('| 1 |'))
    assert line.endswith(f'| {top1:.2f} |')
    assert json.loads((tmp_path / 'out' / 'metrics.json').read_text())['k']


def test_classes_in_equal_numbers(data, tmp_path):
    """MMDetection's sampler in MMPretrain's loader, as the config says."""
    config = write(tmp_path, data, **{'train_cfg.max_epochs': 1})
    cfg = Config.fromfile(config)
    cfg.train_dataloader.sampler = dict(type='mmdet.ClassAwareSampler')
    cfg.dump(config)
    result = train(config)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    assert 'No start weights (load_from is None)' in result.stdout


def messages(result):
    assert result.returncode == 1
    return result.stderr.strip().splitlines()[-1]


def test_no_validation_is_told_before_training(data, tmp_path, pretrained):
    config = write(tmp_path, data)
    cfg = Config.fromfile(config)
    splits = tmp_path / 'splits'
    splits.mkdir()
    row = dict(img_path='awe/awe_00000.jpg', gt_label=1)
    (splits / 'train.json').write_text(json.dumps(dict(data_list=[row])))
    for name in ('train', 'val'):
        cfg[f'{name}_dataloader'].dataset.split_dir = str(splits)
    cfg.dump(config)
    result = train(config)
    assert messages(result).startswith(
        f'{splits}/val.json: no such split file'
    )
    assert 'Epoch(train)' not in result.stdout
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.train_cfg.pop('val_interval')
    for name in ('train', 'test'):
        cfg[f'{name}_dataloader'].dataset.split_dir = None
    cfg.dump(config)
    result = train(config)
    assert result.returncode == 0, result.stderr
    note = 'There is no validation (val_dataloader is None), so no best epoch'
    assert note in result.stdout.split('Epoch(train)')[0]
    assert not list((tmp_path / 'ft').glob('best*'))


def test_clear_errors(trained, data, pretrained, tmp_path, drawn):
    config, work_dir, _ = trained
    text = messages(run_test(config, pretrained))
    assert text.startswith(
        f'{pretrained}: 4 keys missing: backbone.ln2.weight'
    )
    assert 'A pretrained encoder cannot classify yet' in text
    text = messages(run_test(config, tmp_path))
    assert text == (
        f'{tmp_path}: holds no checkpoint (best_*.pth or epoch_*.pth)'
    )
    wide = torch.load(pretrained, weights_only=True)
    wide['state_dict']['backbone.cls_token'] = torch.zeros(1, 1, 64)
    torch.save(wide, tmp_path / 'wide.pth')
    result = train(config, '--load-from', tmp_path / 'wide.pth')
    assert messages(result) == (
        f'load_from {tmp_path}/wide.pth: 1 key of another shape: cls_token: '
        'checkpoint (1, 1, 64), model (1, 1, 32): the config is for another '
        'architecture'
    )
    assert 'Traceback' not in result.stderr
    pretraining = tmp_path / 'pretraining.py'
    tiny_config(drawn, tmp_path).dump(pretraining)
    text = messages(run_test(pretraining, work_dir))
    assert text.startswith(f'{pretraining}: has no test_dataloader; expected')
