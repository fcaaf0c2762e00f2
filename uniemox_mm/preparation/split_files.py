"""The split files of a dataset: hash, write, publish all or none."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.utils.json_files import write_openmmlab

REPORT = 'splits_report.json'


def sha256_of_split(
    images: Iterable[LabelledImage], hashes: Mapping[str, str]
) -> str:
    """Hash the content of a split, independent of the order.

    Returns:
        str: SHA-256 of the lines ``name<tab>label<tab>hash<newline>`` in
        UTF-8, sorted.
    """
    lines = sorted(
        f'{image.name}\t{image.label}\t{hashes[image.name]}\n'.encode(
            errors='surrogateescape'
        )
        for image in images
    )
    return hashlib.sha256(b''.join(lines)).hexdigest()


def write_split_files(
    folder: Path,
    settings: dict,
    splits: Mapping[str, Sequence[LabelledImage]],
    report: dict,
) -> None:
    """Write all files to a folder of their own, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    for split, images in splits.items():
        write_openmmlab(
            folder / f'{split}.json',
            dict(settings, split=split, sha256=report['sha256'][split]),
            (
                dict(img_path=image.name, gt_label=image.label, **image.more)
                for image in images
            ),
        )
    with atomic_file(folder / REPORT) as file:
        file.write(json.dumps(report, indent=1) + '\n')


def publish(finished: Path, out: Path, overwrite: bool) -> list[Path]:
    """Move finished files to their place.

    Existing files with the same content stay. Where a split file differs
    nothing happens, or with ``overwrite`` all old split files go before the
    first new one comes: a process killed in between leaves some of the
    files, which nothing reads, but no mixture of two splits. ``finished``
    must be on the disk of ``out``.

    Returns:
        list[Path]: The files that are new or changed.

    Raises:
        FileExistsError: There are different split files.
    """
    # The report first: whoever has the splits has it too.
    files = sorted(
        finished.iterdir(), key=lambda f: (f.name != REPORT, f.name)
    )
    changed = [f for f in files if not _same(f, out / f.name)]
    differing = [
        out / file.name
        for file in changed
        if file.name != REPORT and (out / file.name).exists()
    ]
    if differing and not overwrite:
        names = ', '.join(path.name for path in differing)
        raise FileExistsError(
            f'{out}: holds another {names}; nothing was changed. Write to '
            'another folder (--out), or replace all three (--overwrite); what '
            f'was read is kept in {finished.parent}'
        )
    if differing:
        changed = files
        for file in files:
            if file.name != REPORT:
                (out / file.name).unlink(missing_ok=True)
    for file in changed:
        file.replace(out / file.name)
    return [out / file.name for file in changed]


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and path.read_bytes() == other.read_bytes()
