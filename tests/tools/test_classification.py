"""Fine-tuning, testing and k-NN by their commands."""

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


def run(tool, *arguments):
    return execute(PYTHON, f'tools/{tool}.py', *arguments)


def succeed(tool, *arguments):
    result = run(tool, *arguments)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    return result


def fail(tool, *arguments):
    """Return the message, the last line of stderr."""
    result = run(tool, *arguments)
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def read_table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def trained(data, pretrained, tmp_path_factory):
    """Config, work dir and process of a whole fine-tuning."""
    folder = tmp_path_factory.mktemp('trained')
    config = write(folder, data)
    result = succeed('train', config, '--load-from', pretrained)
    return config, folder / 'ft', result


def test_best_epoch_on_val_is_kept(trained):
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


def test_metrics_equal_the_predictions(trained, data):
    config, work_dir, _ = trained
    result = succeed('test', config, work_dir)
    rows = read_table(work_dir / 'test' / 'predictions.csv')
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


def test_two_processes_equal_one(trained, tmp_path):
    config, work_dir, _ = trained
    one, two = tmp_path / 'one', tmp_path / 'two'
    options = ['--split', 'train', '--out']
    succeed('test', config, work_dir, *options, one)
    result = execute(
        *('bash', 'tools/dist_test.sh', config, work_dir, 2, *options, two),
        *('--cfg-options', 'test_dataloader.batch_size=7'),
    )
    assert result.returncode == 0, result.stderr
    first, second = (
        json.loads((out / 'metrics.json').read_text()) for out in (one, two)
    )
    assert first == second
    assert first['images'] % 2 == 1
    read = [
        [list(row.values())[:3] for row in read_table(out / 'predictions.csv')]
        for out in (one, two)
    ]
    assert read[0] == read[1]


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
    """With Mixup, CutMix and the best epoch."""
    dataset = dict(type='Emo8', data_root=str(data), split='train')
    steps = math.ceil(len(DATASETS.build(dataset)) / 16)
    kill = {
        'second-epoch': dict(place='after_train_iter', count=steps + 3),
        # The checkpoint is written, but not yet copied as the best.
        'last-validation': dict(place='after_val_iter', count=3),
    }[place]
    kill['sig'] = 'SIGKILL'
    start = ['--load-from', pretrained]
    killed = run('train', write(tmp_path, data, kill=kill), *start)
    assert killed.returncode == -9
    result = succeed('train', write(tmp_path, data), *start, '--resume')
    _, whole, _ = trained
    found = load_weights(tmp_path / 'ft' / 'epoch_3.pth')
    for key, value in load_weights(whole / 'epoch_3.pth').items():
        torch.testing.assert_close(found[key], value, atol=1e-6, rtol=0)
    again = 'Validating epoch 3 again.' in result.stdout
    assert again == (place == 'last-validation')
    names = {p.name for p in (tmp_path / 'ft').glob('best*')}
    assert names == {p.name for p in whole.glob('best*')}


def test_knn_equals_torch(data, pretrained, tmp_path):
    backbone = dict(out_type='cls_token', final_norm=True)
    settings = {f'model.backbone.{k}': v for k, v in backbone.items()}
    config = write(tmp_path, data, **settings)
    out = tmp_path / 'out'
    result = succeed('knn', config, pretrained, '--k', 1, 3, '--out', out)
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
    assert json.loads((out / 'metrics.json').read_text())['k'] in (1, 3)


def test_class_aware_sampler(data, tmp_path):
    """MMDetection's sampler in MMPretrain's loader."""
    config = write(tmp_path, data, **{'train_cfg.max_epochs': 1})
    cfg = Config.fromfile(config)
    cfg.train_dataloader.sampler = dict(type='mmdet.ClassAwareSampler')
    cfg.dump(config)
    result = succeed('train', config)
    assert 'No start weights (load_from is None)' in result.stdout


def test_missing_validation_is_reported_before_training(data, tmp_path):
    config = write(tmp_path, data)
    cfg = Config.fromfile(config)
    splits = tmp_path / 'splits'
    splits.mkdir()
    row = dict(img_path='awe/awe_00000.jpg', gt_label=1)
    (splits / 'train.json').write_text(json.dumps(dict(data_list=[row])))
    for name in ('train', 'val'):
        cfg[f'{name}_dataloader'].dataset.split_dir = str(splits)
    cfg.dump(config)
    result = run('train', config)
    assert result.returncode == 1
    assert f'{splits}/val.json: no such split file' in result.stderr
    assert 'Epoch(train)' not in result.stdout
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.train_cfg.pop('val_interval')
    for name in ('train', 'test'):
        cfg[f'{name}_dataloader'].dataset.split_dir = None
    cfg.dump(config)
    result = succeed('train', config)
    note = 'no validation (val_dataloader is None)'
    assert note in result.stdout.split('Epoch(train)')[0]
    assert not list((tmp_path / 'ft').glob('best*'))


def test_misfits_and_missing_files_are_named(
    trained, pretrained, tmp_path, drawn
):
    config, work_dir, _ = trained
    message = fail('test', config, pretrained)
    missing = '4 keys missing: backbone.ln2.weight'
    assert message.startswith(f'{pretrained}: {missing}')
    assert 'A pretrained encoder cannot classify yet' in message
    message = fail('test', config, tmp_path)
    assert message.startswith(f'{tmp_path}: holds no checkpoint')
    wide = torch.load(pretrained, weights_only=True)
    wide['state_dict']['backbone.cls_token'] = torch.zeros(1, 1, 64)
    path = tmp_path / 'wide.pth'
    torch.save(wide, path)
    message = fail('train', config, '--load-from', path)
    assert message.startswith(f'load_from {path}: 1 key of another shape: ')
    assert 'cls_token: checkpoint (1, 1, 64), model (1, 1, 32)' in message
    pretraining = tmp_path / 'pretraining.py'
    tiny_config(drawn, tmp_path).dump(pretraining)
    message = fail('test', pretraining, work_dir)
    assert message.startswith(f'{pretraining}: has no test_dataloader')
