"""Stand-ins for the tools, called as the real ones, that end at once."""

import json
from pathlib import Path

from tests.helpers import ROOT

CONFIG = f"""\
_base_ = '{ROOT}/configs/_base_/finetune.py'
model = dict(
    type='ImageClassifier', head=dict(num_classes={{{{_base_.num_classes}}}})
)
"""
_START = """\
import json, os, sys, time
from pathlib import Path

given = sys.argv[1:]
with (Path(__file__).parent / 'calls').open('a') as file:
    print(json.dumps([Path(__file__).name, *given]), file=file)
value = lambda option: given[given.index(option) + 1]
root = Path(value('--data-root'))
"""
_TRAIN = """\
work_dir = Path(value('--work-dir'))
(work_dir / 'epoch_1.pth').write_text('')
if 'SIGNAL' in os.environ:
    os.kill(os.getppid(), int(os.environ['SIGNAL']))
    time.sleep(60)
if os.environ.get('BROKEN') == root.name:
    print('training\\n  10 %\\r  20 %\\nsome images\\n')
    sys.exit('no luck')
(work_dir / 'epoch_2.pth').write_text('')
"""
# FI: half of the images that it was trained with are right, and so on.
_TEST = """\
shares = [x.split('=')[1] for x in given if '.fraction=' in x]
top1 = dict(FI=50, Emotion6=80)[root.name] * float((shares or [1])[0])
top1 += 1 if Path(__file__).name == 'knn.py' else 0
out = Path(value('--out'))
out.mkdir(parents=True)
(out / 'metrics.json').write_text(json.dumps(dict(
    images=24, top1=top1, macro_f1=top1 / 3, weighted_f1=top1 / 7,
)))
"""


def write_stand_ins(folder: Path) -> Path:
    """Writes ``train.py``, ``test.py`` and ``knn.py``."""
    folder.mkdir()
    (folder / 'train.py').write_text(_START + _TRAIN)
    (folder / 'test.py').write_text(_START + _TEST)
    (folder / 'knn.py').write_text(_START + _TEST)
    return folder


def calls(tools: Path) -> list[list[str]]:
    """Name and arguments of each call so far."""
    path = tools / 'calls'
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
