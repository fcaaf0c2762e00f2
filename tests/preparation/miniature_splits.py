"""Split files of miniatures, for many tests."""

import json

from uniemox_mm.preparation import make_splits as made_splits

SPLITS = ('train', 'val', 'test')
REPORT = 'splits_report.json'
SHARES = dict(
    FI=(0.8, 0.05, 0.15),
    UnbiasedEmo=(0.7, 0.1, 0.2),
    Emotion6=(0.7, 0.1, 0.2),
    HECO=(0.7, 0.1, 0.2),
    Emo8=(0.8, 0.1, 0.1),
)


def make(name, root, **options):
    """In this process alone, and by one division unless told otherwise."""
    options = {'workers': 0, 'candidates': 1, **options}
    return made_splits.make_splits(name.split('-')[0], root, **options)


def load(folder):
    return {s: json.loads((folder / f'{s}.json').read_text()) for s in SPLITS}


def rows(folder):
    """Split -> name -> label."""
    return {
        split: {e['img_path']: e['gt_label'] for e in content['data_list']}
        for split, content in load(folder).items()
    }


def all_files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def report_of(folder):
    return json.loads((folder / REPORT).read_text())
