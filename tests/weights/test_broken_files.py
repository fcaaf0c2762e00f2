"""Broken and hostile files: each ends in one message, and changes nothing."""

import pickle
import struct
import zipfile
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.weights.test_refused_files import NOT_READ, encoder, write_archive
from uniemox_mm.weights import convert_checkpoint
from uniemox_mm.weights.openai_archive import is_torchscript, read_torchscript
from uniemox_mm.weights.weight_files import read_checkpoint

HISTORY = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
MODULE = b'\x80\x02c__torch__\nM\n'


def text(value):
    return b'X' + struct.pack('<I', len(value)) + value


def pickle_program(program):
    return lambda path: write_archive(path, program)


def bad_list_of_files(path):
    torch.save(encoder(), path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'PK\x01\x02', b'XXXX', 1))


def compressed(path):
    torch.save(encoder(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def torchscript(program, compression=zipfile.ZIP_STORED):
    def write(path):
        with zipfile.ZipFile(path, 'w', compression) as archive:
            archive.writestr('a/constants.pkl', b'\x80\x02).')
            archive.writestr('a/data.pkl', program)
            archive.writestr('a/data/0', bytes(64))

    return write


def nested(depth):
    opened = b''.join(
        b'c__torch__\nM\n)\x81}' + text(b'x') for _ in range(depth)
    )
    return b'\x80\x02' + opened + b'N' + depth * b'sb' + b'.'


def no_archive(problem):
    return (
        f'no weights were loaded from this TorchScript archive ({problem}); '
        'expected CLIP as OpenAI publishes it: download it anew, or save its '
        'state_dict with torch.save'
    )


MORE_THAN_DATA = (
    NOT_READ + '(its pickle does more than weights need, or is damaged; '
    'nothing of it was run)'
)
FILES = {
    'numpy-of-objects': (
        pickle_program(
            pickle.dumps({'a': np.array([1, 'x', None], dtype=object)}, 2)
        ),
        MORE_THAN_DATA,
    ),
    'build-a-class': (
        pickle_program(
            b'\x80\x02}' + text(b'a') + HISTORY + b'}' + text(b'mean')
            + b'K\x01sbs.'
        ),
        MORE_THAN_DATA,
    ),
    'no-opcode': (pickle_program(b'\x80\x02}\xff.'), MORE_THAN_DATA),
    'escapes-in-a-name': (
        pickle_program(b'\x80\x02cos\n\x1b[31msystem\n)R.'),
        NOT_READ + r'(it asks for os.\x1b[31msystem, which is code and not '
        'weights; nothing of it was run)',
    ),
    'pickle-of-a-newline': (
        lambda path: path.write_bytes(b'\n\x80\x02junk'),
        NOT_READ + '(it is a pickle that torch.save did not write, or is '
        'damaged; nothing of it was run)',
    ),
    'bad-list-of-files': (
        bad_list_of_files,
        NOT_READ + '(it is damaged (BadZipFile: Bad magic number for central '
        'directory); copy or download it anew)',
    ),
    'compressed': (
        compressed,
        NOT_READ + '(it is a compressed archive, which torch.save never '
        'writes; pack it anew without compression (zip -0))',
    ),
    'torchscript-compressed': (
        torchscript(b'\x80\x02}.', zipfile.ZIP_DEFLATED),
        no_archive('ValueError: a/data.pkl is compressed'),
    ),
    'torchscript-inside-itself': (
        torchscript(MODULE + b')\x81q\x00}' + text(b'x') + b'h\x00sb.'),
        no_archive('ValueError: a module is in it twice'),
    ),
    'torchscript-deep': (
        torchscript(nested(3000)),
        no_archive('ValueError: it holds no tensors'),
    ),
    'torchscript-dict': (
        torchscript(pickle.dumps({'a': 1}, 2)),
        no_archive('ValueError: it holds a dict and no module'),
    ),
    'torchscript-changes-a-class': (
        torchscript(
            MODULE + b'(N}' + text(b'__new__') + b'ccollections\nOrderedDict\n'
            b'stb.'
        ),
        no_archive('ValueError: it changes more than its modules'),
    ),
    'torchscript-changes-a-function': (
        torchscript(
            b'\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N}'
            + text(b'__defaults__') + b')stb.'
        ),
        no_archive('ValueError: it changes more than its modules'),
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', FILES)
def test_broken_files(name, tmp_path):
    write, message = FILES[name]
    path, target = tmp_path / 'file.pth', tmp_path / 'out' / 'ours.pth'
    write(path)
    with pytest.raises(ValueError) as error:
        convert_checkpoint(path, target)
    assert str(error.value) == f'{path}: {message}'
    assert not target.parent.exists()


def test_an_archive_changes_nothing_for_the_next(tmp_path):
    for name in FILES:
        if 'changes' in name:
            FILES[name][0](tmp_path / 'bad.pt')
            with pytest.raises(ValueError):
                read_torchscript(tmp_path / 'bad.pt')
    with pytest.warns(FutureWarning):
        script = torch.jit.script(torch.nn.Linear(2, 2))
    script.save(str(tmp_path / 'good.pt'))
    found = read_torchscript(tmp_path / 'good.pt')
    assert list(found) == ['weight', 'bias']
    assert torch.equal(found['bias'], script.bias)


def test_a_broken_archive_is_none_of_torchscript(tmp_path):
    bad_list_of_files(tmp_path / 'file.pt')
    assert not is_torchscript(tmp_path / 'file.pt')


def test_threads_read_what_one_alone_may_read(tmp_path):
    """The list of what may be read is one for the process."""
    path = tmp_path / 'mae.pth'
    torch.save(dict(model=encoder(), args=Namespace(lr=1e-3)), path)
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(read_checkpoint, [path] * 120))
    assert all(content['args'].lr == 1e-3 for content in found)
