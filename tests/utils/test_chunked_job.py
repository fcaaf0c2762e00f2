from pathlib import Path

import pytest

from uniemox_mm.utils.chunked_job import ChunkedJob


def test_resumes_where_it_was(tmp_path):
    job = ChunkedJob(tmp_path / 'parts', dict(a=(1, 2)), 5)
    assert job.todo() == [0, 1, 2, 3, 4]
    for chunk in (1, 3):
        job.save(chunk, [chunk, {'b': None}])
    # What a killed process leaves of a chunk it was writing.
    (tmp_path / 'parts/.000004.json-x.tmp').write_text('[4,')
    again = ChunkedJob(tmp_path / 'parts', dict(a=[1, 2]), 5)
    assert again.todo() == [0, 2, 4]
    for chunk in again.todo():
        again.save(chunk, [chunk, {'b': None}])
    assert list(again.results()) == [[i, {'b': None}] for i in range(5)]
    again.remove()
    assert not (tmp_path / 'parts').exists()


def test_other_settings_are_refused(tmp_path):
    ChunkedJob(tmp_path / 'parts', dict(a=1, b=2), 5)
    with pytest.raises(ValueError) as error:
        ChunkedJob(tmp_path / 'parts', dict(a=1, b=3), 6)
    assert 'b was 2 and is 3; chunks was 5 and is 6' in str(error.value)
    assert str(tmp_path / 'parts') in str(error.value)


def test_a_chunk_is_whole_or_not_there(tmp_path, monkeypatch):
    job = ChunkedJob(tmp_path / 'parts', {}, 2)

    def fail(*args):
        raise OSError('disk full')

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'replace', fail)
        with pytest.raises(OSError, match='disk full'):
            job.save(0, [1])
    assert job.todo() == [0, 1]
