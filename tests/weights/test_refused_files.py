"""Files that must not be converted: none runs, each message says why."""

import argparse
import io
import os
import pickle
import struct
import tarfile
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from tests.weights.plain_mae import encoder_of, random_mae
from uniemox_mm.weights import convert_checkpoint
from uniemox_mm.weights.weight_files import read_checkpoint

NOT_READ = 'not a checkpoint of plain weights, so nothing was loaded '


class Code:
    """A pickle of it leaves a file, if it is run."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f'touch {self.canary}',)


def encoder():
    return encoder_of(random_mae().state_dict())


def pickled(name, protocol=None, **settings):
    def write(path, canary):
        content = {name: Code(canary), 'model': encoder()}
        if protocol is None:
            torch.save(content, path, **settings)
        else:
            path.write_bytes(pickle.dumps(content[name], protocol))

    return write


def getattr_to_eval(path, canary):
    """What MMEngine's own list of allowed names lets through to ``eval``."""
    code = f'open({str(canary)!r}, "w").close()'
    program = (
        b'\x80\x02cbuiltins\ngetattr\ncmmengine.logging.history_buffer\n'
        b'HistoryBuffer\nX\x08\x00\x00\x00__init__\x86R'
        b'X\x0b\x00\x00\x00__globals__\x86R'
        + b'X'
        + struct.pack('<I', len(code))
        + code.encode()
        + b'\x85R.'
    )
    write_archive(path, program)


def write_archive(path, program):
    """torch's format around a pickle of our own."""
    whole = io.BytesIO()
    torch.save(encoder(), whole)
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(path, 'w') as target,
    ):
        for name in source.namelist():
            own = name.endswith('data.pkl')
            target.writestr(name, program if own else source.read(name))


def tar(path, canary):
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle', 'sys_info'):
            content = pickle.dumps(Code(canary))
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def truncated(path, _):
    torch.save(encoder(), path)
    path.write_bytes(path.read_bytes()[:30_000])


def safetensors(change):
    def write(path, _):
        path = path.with_suffix('.safetensors')
        save_file({k: v.clone() for k, v in encoder().items()}, path)
        path.write_bytes(change(path.read_bytes()))
        return path

    return write


def torchscript(path, _):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


def torchscript_with_code(path, canary):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, value in content.items():
            own = name.endswith('/data.pkl')
            code = pickle.dumps(Code(canary), 2)
            archive.writestr(name, code if own else value)


def other_zip(path, _):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('folder/notes.txt', 'x')


# What is written, and the whole message after the path.
FILES = {
    'code': (
        pickled('extra'),
        NOT_READ + '(it asks for posix.system, which is code and not weights; '
        'nothing of it was run)',
    ),
    'code-before-zip': (
        pickled('extra', _use_new_zipfile_serialization=False),
        NOT_READ + '(it asks for posix.system, which is code and not weights; '
        'nothing of it was run)',
    ),
    'plain-pickle': (
        pickled('extra', protocol=4),
        NOT_READ + '(it is a pickle that torch.save did not write, or is '
        'damaged; nothing of it was run)',
    ),
    'getattr': (
        getattr_to_eval,
        NOT_READ + "(the file asks for '__init__' of <class "
        "'mmengine.logging.history_buffer.HistoryBuffer'>, which is code; "
        'nothing of it was run)',
    ),
    'eval': (
        lambda path, _: write_archive(
            path, b'\x80\x02cbuiltins\neval\nX\x03\x00\x00\x001+1\x85R.'
        ),
        NOT_READ + '(it asks for eval, which is code and not '
        'weights; nothing of it was run)',
    ),
    'module': (
        lambda path, _: torch.save(torch.nn.Linear(2, 2), path),
        NOT_READ + '(it asks for torch.nn.modules.linear.Linear, which is '
        'code and not weights; nothing of it was run)',
    ),
    'tar': (
        tar,
        NOT_READ + "(it is torch's tar format of 2016, which can only be read "
        'by running what it says; save it anew with a current torch)',
    ),
    'truncated': (
        truncated,
        NOT_READ + '(it is cut off: a zip archive without its end, of 30000 '
        'bytes)',
    ),
    'empty': (
        lambda path, _: path.touch(),
        NOT_READ + '(it is empty, 0 bytes: a download or a copy has failed)',
    ),
    'text': (
        lambda path, _: path.write_bytes(b'<!DOCTYPE html>\n<p>404') and None,
        NOT_READ + "(it is text, which begins with '<!DOCTYPE html>')",
    ),
    'other-zip': (
        other_zip,
        NOT_READ + '(it is a zip archive, but not one that torch.save wrote)',
    ),
    'safetensors-header': (
        safetensors(lambda content: struct.pack('<Q', 1 << 60) + content[8:]),
        NOT_READ + '(its header is not that of safetensors: Error while '
        'deserializing header: header too large)',
    ),
    'safetensors-truncated': (
        safetensors(lambda content: content[:-8]),
        NOT_READ + '(its header is not that of safetensors: Error while '
        'deserializing header: incomplete metadata, file not fully covered)',
    ),
    'torchscript': (
        torchscript,
        'these are not the names of a ViT of mae, u-emo, timm, dbot, '
        'mmpretrain, clip, but bias, weight, ...',
    ),
    'torchscript-with-code': (
        torchscript_with_code,
        'no weights were loaded from this TorchScript archive (ValueError: '
        'it asks for posix.system; nothing of it was run); expected CLIP as '
        'OpenAI publishes it: download it anew, or save its state_dict with '
        'torch.save',
    ),
    'no-tensors': (
        lambda path, _: torch.save(dict(epoch=3, best=0.5), path),
        'expected a state dict or a checkpoint with "state_dict", but found '
        "['best', 'epoch']",
    ),
    'one-tensor': (
        lambda path, _: torch.save(torch.ones(2), path),
        'expected a state dict or a checkpoint with "state_dict", but found '
        'Tensor',
    ),
    'folder': (
        lambda path, _: path.mkdir(),
        'is a folder; expected a file of weights',
    ),
    'nothing': (lambda path, _: None, 'no such checkpoint'),
}


@pytest.mark.parametrize('name', FILES)
@pytest.mark.filterwarnings('ignore:.*(TorchScript|protocol)')
def test_files_that_are_no_weights(name, tmp_path):
    write, message = FILES[name]
    canary, target = tmp_path / 'canary', tmp_path / 'out' / 'ours.pth'
    path = tmp_path / 'file.pth'
    path = write(path, canary) or path
    with pytest.raises((FileNotFoundError, ValueError)) as error:
        convert_checkpoint(path, target)
    assert str(error.value) == f'{path}: {message}'
    assert not canary.exists() and not target.parent.exists()


def test_the_canary_sings(tmp_path):
    """So that its silence means something."""
    canary = tmp_path / 'canary'
    pickle.loads(pickle.dumps(Code(canary)))
    assert canary.exists()


class Namespace(argparse.Namespace):
    """Only looks like the command line that MAE's checkpoints have."""


def test_a_class_of_ones_own_is_no_data(tmp_path):
    path = tmp_path / 'file.pth'
    torch.save(dict(model=encoder(), args=Namespace(lr=1)), path)
    with pytest.raises(ValueError) as error:
        read_checkpoint(path)
    assert str(error.value) == (
        f'{path}: {NOT_READ}(it asks for {__name__}.Namespace, which is code '
        'and not weights; nothing of it was run)'
    )
