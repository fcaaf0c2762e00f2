"""Says in a sentence why a file is no checkpoint."""

import pickle
import re
import tarfile
import zipfile
from pathlib import Path

from uniemox_mm.utils.terminal_text import printable

_HEAD = 64  # bytes
_ZIP = b'PK\x03\x04'
# torch says which name it did not look up.
_ASKED = re.compile(r'GLOBAL (\S+)')
_MORE_THAN_DATA = (
    'its pickle does more than weights need, or is damaged; nothing of it was '
    'run'
)


def why_unreadable(path: Path, error: Exception) -> str:
    """What is wrong with a file that was to be a checkpoint.

    torch's own messages go on to advise how to run the file all the same.

    Args:
        path (Path): The file.
        error (Exception): What reading it raised.

    Returns:
        str: The reason, without the path, printable.
    """
    try:
        return printable(_why(path, error))
    except Exception as other:  # a broken archive raises what it likes
        return _damaged(other)


def is_compressed(path: Path) -> bool:
    """Whether a file is a zip archive with compressed content."""
    with path.open('rb') as file:  # torch goes by this too
        if file.read(len(_ZIP)) != _ZIP:
            return False
    with zipfile.ZipFile(path) as archive:
        return any(
            member.compress_type != zipfile.ZIP_STORED
            for member in archive.infolist()
        )


def _why(path: Path, error: Exception) -> str:
    with path.open('rb') as file:
        head = file.read(_HEAD)
    if not head:
        return 'it is empty, 0 bytes: a download or a copy has failed'
    if asked := _ASKED.search(str(error)):
        return (
            f'it asks for {asked[1]}, which is code and not weights; nothing '
            'of it was run'
        )
    if type(error).__name__ == 'SafetensorError':
        return f'its header is not that of safetensors: {error}'
    if isinstance(error, ValueError) and 'the file asks' in str(error):
        return f'{error}, which is code; nothing of it was run'
    if head.startswith(b'PK'):
        return _why_no_archive(path, error)
    if path.suffix == '.safetensors':
        return _damaged(error)
    if tarfile.is_tarfile(path):
        return (
            "it is torch's tar format of 2016, which can only be read by "
            'running what it says; save it anew with a current torch'
        )
    line = head.splitlines()[0]
    if line and line.isascii() and line.decode().isprintable():
        return f'it is text, which begins with {line.decode()!r}'
    return (
        'it is a pickle that torch.save did not write, or is damaged; '
        'nothing of it was run'
    )


def _why_no_archive(path: Path, error: Exception) -> str:
    if not zipfile.is_zipfile(path):
        return (
            'it is cut off: a zip archive without its end, of '
            f'{path.stat().st_size} bytes'
        )
    with zipfile.ZipFile(path) as archive:
        names = {Path(name).name for name in archive.namelist()}
    if 'constants.pkl' in names:
        return (
            'it is a TorchScript archive, which is a program; save its '
            'state_dict with torch.save, or as safetensors'
        )
    if 'data.pkl' not in names:
        return 'it is a zip archive, but not one that torch.save wrote'
    if is_compressed(path):
        return (
            'it is a compressed archive, which torch.save never writes; pack '
            'it anew without compression (zip -0)'
        )
    if isinstance(error, pickle.UnpicklingError):
        return _MORE_THAN_DATA
    return _damaged(error)


def _damaged(error: Exception) -> str:
    """For errors whose text is a plain one; not of torch's unpickler."""
    first = ''.join(str(error).strip().splitlines()[:1])
    return printable(
        f'it is damaged ({type(error).__name__}: {first}); copy or download '
        'it anew'
    )
