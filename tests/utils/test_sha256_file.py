import hashlib

import pytest

from uniemox_mm.utils.sha256_file import sha256_file


@pytest.mark.parametrize('size', [0, 3, (1 << 20) + 7])
def test_hash_of_the_whole_content(tmp_path, size):
    content = bytes(i % 251 for i in range(size))
    (tmp_path / 'a').write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert sha256_file(tmp_path / 'a') == expected
