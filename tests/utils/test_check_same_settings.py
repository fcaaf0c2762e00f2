import json

import pytest

from uniemox_mm.utils.check_same_settings import check_same_settings


def test_equal_settings_pass():
    now = dict(size=(3, 4), teacher=dict(name='a'), weights=None)
    stored = json.loads(json.dumps(now))
    del stored['weights']
    check_same_settings(stored, now, 'x', 'remove it')


def test_each_change_is_named_with_both_values():
    stored = dict(size=3, same=1, teacher=dict(name='a', dim=4), gone=[1])
    now = dict(size=4, same=1, teacher=dict(name='b', dim=4), text='c' * 99)
    with pytest.raises(FileExistsError) as error:
        check_same_settings(stored, now, 'a.json', 'move it', FileExistsError)
    path, _, changes = str(error.value).partition(': was made with other ')
    assert path == 'a.json'
    assert changes.removeprefix('settings: ').split('; ') == [
        'gone was [1] and is None',
        'size was 3 and is 4',
        "teacher.name was 'a' and is 'b'",
        f"text was None and is 'ccc{'c' * 53}...",
        'move it',
    ]
