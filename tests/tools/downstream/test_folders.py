"""Which datasets are there."""

from pathlib import Path

import pytest
from downstream.folders import find_folders, missing_line


def test_folders_are_found_in_any_case(tmp_path):
    for name in ('fi', 'UNBIASEDEMOTION', 'Ube', 'emoset', 'emoset-118k'):
        (tmp_path / name).mkdir()
    (tmp_path / 'HECO').write_text('')
    (tmp_path / 'Emo80').mkdir()
    assert find_folders(tmp_path) == dict(
        ube=tmp_path / 'UNBIASEDEMOTION',
        fi=tmp_path / 'fi',
        emoset=tmp_path / 'emoset-118k',
    )


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('fi', 'FI: skipped, none of FI, FlickrInstagram, FI_dataset is in r'),
        ('emo8', 'Emo8: skipped, there is no Emo8 in r'),
        (
            'ube',  # UnBiasedEmo is the first of them in another case
            'UBE: skipped, none of UnbiasedEmo, UnbiasedEmotion, UBE is in r',
        ),
    ],
)
def test_what_is_not_there_is_said(name, text):
    assert missing_line(name, Path('r')) == text
