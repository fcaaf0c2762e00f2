"""Person boxes of a list of images."""

import json
from collections import Counter

from uniemox_mm.datasets.image_lists import list_images
from uniemox_mm.models import PersonDetector
from uniemox_mm.preparation.write_person_boxes import write_person_boxes


def test_bad_images_have_no_number_of_people(
    narrow_yolov3, own_drawn, tmp_path
):
    config, weights = narrow_yolov3
    detector = PersonDetector(weights, config, 0.5, batch_size=4)
    names = list_images([own_drawn]).names
    (own_drawn / names[0]).write_bytes(b'')
    (tmp_path / 'list.txt').write_text('\n'.join(names[:5]))
    images = list_images([tmp_path / 'list.txt'], root=own_drawn)
    out = tmp_path / 'p.json'
    found = write_person_boxes(images, out, detector)
    entries = json.loads(out.read_text())['data_list']
    good = [e for e in entries if 'error' not in e]
    counts = Counter(str(len(e['persons'])) for e in good)
    listed = found['images_by_people'].items()
    assert {k: n for k, n in listed if n} == dict(counts)
