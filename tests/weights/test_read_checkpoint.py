"""Files that hold more or less than weights: refused, and never run."""

import argparse
import io
import pickle
import struct
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from tests.weights.comparing import same, save
from tests.weights.hostile_files import (
    Code,
    dumped,
    text,
    write_archive,
    write_compressed,
    write_without_index,
)
from tests.weights.plain_mae import random_encoder
from uniemox_mm.weights.read_checkpoint import load_weights, read_checkpoint

HISTORY = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'


def program(opcodes):
    return lambda path, _: write_archive(path, b'\x80\x02' + opcodes)


def saved_with_code(**settings):
    def write(path, canary):
        content = dict(extra=Code(canary), model=random_encoder())
        torch.save(content, path, **settings)

    return write


def getattr_to_eval(path, canary):
    """MMEngine's own list of allowed names lets this through to ``eval``."""
    code = f'open({str(canary)!r}, "w").close()'
    write_archive(
        path,
        b'\x80\x02cbuiltins\ngetattr\n' + HISTORY + text(b'__init__')
        + b'\x86R' + text(b'__globals__') + b'\x86R' + text(code.encode())
        + b'\x85R.',
    )  # fmt: skip


def getattr_through_logs(path, canary):
    """An instance whose ``__setstate__`` would be ``eval``."""

    def attribute(owner, name):
        return b'cbuiltins\ngetattr\n(' + owner + text(name) + b'tR'

    own = attribute(b'cbuiltins\ngetattr\n', b'__self__')
    code = f'open({str(canary)!r}, "w").close()'
    write_archive(
        path,
        b'\x80\x02' + HISTORY + b')R}' + text(b'__setstate__')
        + attribute(own, b'eval') + b'sb' + text(code.encode()) + b'b.',
    )  # fmt: skip


def tar(path, canary):
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle', 'sys_info'):
            info = tarfile.TarInfo(name)
            info.size = len(dumped(canary))
            archive.addfile(info, io.BytesIO(dumped(canary)))


def cut_off(path, _):
    torch.save(random_encoder(), path)
    path.write_bytes(path.read_bytes()[:30_000])


def safetensors(change):
    def write(path, _):
        path = path.with_suffix('.safetensors')
        save_file(random_encoder(), path)
        path.write_bytes(change(path.read_bytes()))
        return path

    return write


def other_zip(path, _):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('folder/notes.txt', 'x')


# A file, and the cause that the message names.
FILES = {
    'code': (saved_with_code(), r'asks for posix\.system.*code'),
    'code-before-zip': (
        saved_with_code(_use_new_zipfile_serialization=False),
        r'asks for posix\.system.*code',
    ),
    'plain-pickle': (
        lambda path, canary: path.write_bytes(dumped(canary, 4)) and None,
        'not a file that torch.save wrote',
    ),
    'getattr': (getattr_to_eval, "asks for '__init__' of .*HistoryBuffer"),
    'getattr-through-logs': (getattr_through_logs, "asks for '__self__'"),
    'eval': (
        program(b'cbuiltins\neval\n' + text(b'1+1') + b'\x85R.'),
        'asks for eval',
    ),
    'module': (
        lambda path, _: torch.save(torch.nn.Linear(2, 2), path),
        r'asks for torch\.nn\.modules\.linear\.Linear',
    ),
    'numpy-of-objects': (
        lambda path, _: write_archive(
            path, pickle.dumps({'a': np.array([1, None], dtype=object)}, 2)
        ),
        'damaged',
    ),
    'build-a-class': (
        program(
            b'}' + text(b'a') + HISTORY + b'}' + text(b'mean') + b'K\x01sbs.'
        ),
        'damaged',
    ),
    'no-opcode': (program(b'}\xff.'), 'damaged'),
    'escapes-in-a-name': (
        program(b'cos\n\x1b[31msystem\n)R.'),
        r'asks for os\.\\x1b\[31msystem',
    ),
    'tar': (tar, 'damaged'),
    'cut-off': (cut_off, 'cut off'),
    'empty': (lambda path, _: path.touch(), 'empty'),
    'text': (
        lambda path, _: path.write_bytes(b'<!DOCTYPE html>\n') and None,
        'not a file that torch.save wrote',
    ),
    'other-zip': (other_zip, 'not a file that torch.save wrote'),
    'without-index': (
        lambda path, _: write_without_index(path),
        'damaged.*Bad magic number',
    ),
    'compressed': (
        lambda path, _: write_compressed(path),
        r'data\.pkl is compressed',
    ),
    'torchscript': (
        lambda path, _: torch.jit.script(torch.nn.ReLU()).save(str(path)),
        r'TorchScript archive.*convert\.py',
    ),
    'safetensors-header': (
        safetensors(lambda content: struct.pack('<Q', 1 << 60) + content[8:]),
        'damaged.*header too large',
    ),
    'safetensors-cut-off': (
        safetensors(lambda content: content[:-8]),
        'damaged.*not fully covered',
    ),
    'no-tensors': (
        lambda path, _: torch.save(dict(epoch=3, best=0.5), path),
        'expected a state dict.*best.*epoch',
    ),
    'one-tensor': (
        lambda path, _: torch.save(torch.ones(2), path),
        'expected a state dict.*Tensor',
    ),
    'folder': (lambda path, _: path.mkdir(), 'is a folder'),
    'nothing': (lambda path, _: None, 'no such checkpoint'),
}


@pytest.mark.parametrize('name', FILES)
@pytest.mark.filterwarnings('ignore:.*(TorchScript|protocol|torch.jit)')
def test_files_without_plain_weights_are_refused(name, tmp_path):
    write, cause = FILES[name]
    canary, path = tmp_path / 'canary', tmp_path / 'file.pth'
    path = write(path, canary) or path
    kind = FileNotFoundError if name in ('folder', 'nothing') else ValueError
    with pytest.raises(kind, match=f'^{path}: .*{cause}') as error:
        load_weights(path)
    assert str(error.value).isprintable()
    assert not canary.exists()


def test_hostile_pickle_runs_where_it_may(tmp_path):
    """So that a canary that does not appear means something."""
    pickle.loads(dumped(tmp_path / 'canary'))
    assert (tmp_path / 'canary').exists()


class Namespace(argparse.Namespace):
    """Only looks like the command line that MAE's checkpoints have."""


def test_only_argparse_own_namespace_is_plain(tmp_path):
    path = tmp_path / 'file.pth'
    save(path, dict(model=random_encoder(), args=argparse.Namespace(lr=1)))
    assert read_checkpoint(path)['args'].lr == 1
    save(path, dict(model=random_encoder(), args=Namespace(lr=1)))
    with pytest.raises(ValueError, match=f'asks for {__name__}.Namespace'):
        read_checkpoint(path)


def test_safetensors_are_read(tmp_path):
    path, weights = tmp_path / 'file.safetensors', random_encoder()
    save_file(weights, path, dict(uniemox_mm='{"epoch": 3}'))
    content = read_checkpoint(path)
    same(content['state_dict'], weights)
    assert content['meta'] == dict(epoch=3)


def test_mmengines_logs_are_plain(tmp_path):
    history = HistoryBuffer()
    history.update(1.0)
    save(tmp_path / 'a.pth', dict(message_hub=dict(loss=history)))
    assert (
        read_checkpoint(tmp_path / 'a.pth')['message_hub']['loss'].mean() == 1
    )


def test_threads_read_what_one_alone_may_read(tmp_path):
    """The list of what may be read is one for the process."""
    path = tmp_path / 'mae.pth'
    args = argparse.Namespace(lr=1e-3)
    save(path, dict(model=random_encoder(), args=args))
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(read_checkpoint, [path] * 120))
    assert all(content['args'].lr == 1e-3 for content in found)


KEY = 'blocks.0.attn.qkv.weight'


def changed(change):
    return lambda w: {**w, KEY: change(w[KEY])}


# A change of the weights, and the cause that the message names.
TENSORS = {
    'number-as-key': (lambda w: {**w, 7: w[KEY]}, 'called 7; .*text'),
    'escapes-in-a-key': (
        lambda w: {**w, '\x1b[31mx\n\x07': w[KEY]},
        r"called '\\x1b\[31mx\\n\\x07'",
    ),
    'sparse': (changed(torch.Tensor.to_sparse), f'{KEY}.*sparse_coo'),
    'meta': (changed(lambda v: v.to('meta')), f'{KEY}.*without content'),
    'float8': (
        changed(lambda v: v.to(torch.float8_e4m3fn)),
        f'{KEY}.*float8_e4m3fn',
    ),
    'nested': (
        changed(lambda v: torch.nested.nested_tensor([v])),
        f'{KEY}.*nested',
    ),
    'repeated': (
        changed(lambda v: torch.zeros(1).expand(10**6, 10**6)),
        f'{KEY}.*1000000, 1000000.*file holds 1 ',
    ),
}


@pytest.mark.parametrize('name', TENSORS)
@pytest.mark.filterwarnings('ignore')
def test_tensors_without_their_numbers_are_refused(name, tmp_path):
    change, cause = TENSORS[name]
    path = save(tmp_path / 'file.pth', change(random_encoder()))
    with pytest.raises(ValueError, match=f'^{path}: .*{cause}') as error:
        load_weights(path)
    assert str(error.value).isprintable()
