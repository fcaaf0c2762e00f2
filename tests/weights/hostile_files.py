"""Files around a pickle of our own, and pickles that run something."""

import io
import os
import pickle
import struct
import zipfile

import torch

from tests.weights.plain_mae import random_encoder


class Code:
    """A pickle of it leaves a file, if it is run."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f'touch {self.canary}',)


def text(value):
    """The opcodes that push a text of bytes."""
    return b'X' + struct.pack('<I', len(value)) + value


def write_archive(path, program):
    """Write torch's format around a pickle."""
    whole = io.BytesIO()
    torch.save(random_encoder(), whole)
    with zipfile.ZipFile(whole) as source:
        content = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, 'w') as target:
        for name, value in content.items():
            own = name.endswith('data.pkl')
            target.writestr(name, program if own else value)


def write_torchscript(path, program, compression=zipfile.ZIP_STORED):
    """Write TorchScript's format around a pickle."""
    with zipfile.ZipFile(path, 'w', compression) as archive:
        archive.writestr('a/constants.pkl', b'\x80\x02).')
        archive.writestr('a/data.pkl', program)
        archive.writestr('a/data/0', bytes(64))


def write_compressed(path):
    torch.save(random_encoder(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def write_without_index(path):
    """Write a zip archive whose list of files is broken."""
    torch.save(random_encoder(), path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'PK\x01\x02', b'XXXX', 1))


def dumped(canary, protocol=2):
    return pickle.dumps(Code(canary), protocol)
