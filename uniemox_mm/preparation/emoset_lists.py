"""Check EmoSet's split files, row by row."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from uniemox_mm.datasets.categories import EMOSET_CATEGORIES
from uniemox_mm.datasets.emoset import EmoSetRow, check_info, parse_row
from uniemox_mm.datasets.splitting import SPLITS
from uniemox_mm.utils.json_files import read_json
from uniemox_mm.utils.sha256_file import sha256_file

SPLIT_LEFT_OUT = 'the split is left out'


def problem(file: str | Path, what: str, consequence: str) -> dict[str, str]:
    """Make an entry of the report."""
    return dict(file=str(file), problem=what, consequence=consequence)


def read_lists(
    root: Path, splits: Sequence[str]
) -> tuple[dict[str, list[EmoSetRow]], list[dict]]:
    """Return the good rows of each readable split file, and the problems."""
    problems: list[dict] = []
    rows: dict[str, list[EmoSetRow]] = {}
    listed: dict[str, str] = {}
    for split in splits:
        path = root / f'{split}.json'
        try:
            content = read_json(path)
            if not isinstance(content, list) or not content:
                found = 'empty' if content == [] else 'not a list of rows'
                raise ValueError(f'{path}: {found}')
        except (OSError, ValueError) as error:
            what = str(error).removeprefix(f'{path}: ')
            problems.append(problem(path, what, SPLIT_LEFT_OUT))
            continue
        rows[split] = []
        for number, item in enumerate(content):
            try:
                row = _tidy(parse_row(path, number, item))
                _check_paths(path, number, row)
                first = listed.setdefault(row.image, f'{path} row {number}')
                if first != f'{path} row {number}':
                    raise ValueError(
                        f'{path}: row {number} names {row.image}, as does '
                        f'{first}'
                    )
            except ValueError as error:
                what = str(error).removeprefix(f'{path}: ')
                problems.append(problem(path, what, 'the row is left out'))
                continue
            rows[split].append(row)
    problems += _check_info(root)
    if set(SPLITS) <= set(rows):
        problems += _unlisted(root, listed)
    return rows, problems


def hash_lists(root: Path, splits: Sequence[str]) -> dict[str, str]:
    """Hash the split files that exist, of which there must be one."""
    files = {split: root / f'{split}.json' for split in splits}
    hashes = {s: sha256_file(f) for s, f in files.items() if f.is_file()}
    if not hashes:
        raise FileNotFoundError(
            f'{root}: has none of {", ".join(f.name for f in files.values())}'
            '; expected the folder that EmoSet-118K was unzipped to, and '
            f'splits of {", ".join(SPLITS)}'
        )
    return hashes


def _tidy(row: EmoSetRow) -> EmoSetRow:
    """Bring paths to one spelling."""
    return row._replace(
        image=str(PurePosixPath(row.image)),
        annotation=str(PurePosixPath(row.annotation)),
    )


def _check_paths(path: Path, number: int, row: EmoSetRow) -> None:
    for name in (row.image, row.annotation):
        pure = PurePosixPath(name)
        if pure.is_absolute() or '..' in pure.parts or '\\' in name:
            raise ValueError(
                f'{path}: row {number} names {name!r}; expected a path inside '
                'the download, with forward slashes'
            )
    folder = PurePosixPath(row.image).parent.name
    if folder in EMOSET_CATEGORIES and folder != row.emotion:
        raise ValueError(
            f'{path}: row {number} says {row.emotion} of {row.image}: the '
            'emotion of its folder was expected'
        )


def _check_info(root: Path) -> list[dict]:
    try:
        check_info(root)
    except ValueError as error:
        path = root / 'info.json'
        what = str(error).removeprefix(f'{path}: ')
        return [problem(path, what, "EmoSet's own order of classes is used")]
    return []


def _unlisted(root: Path, listed: Iterable[str]) -> list[dict]:
    """Report folders with files that no split names."""
    known = set(listed)
    unknown = Counter(
        image.parent
        for image in sorted((root / 'image').glob('*/*'))
        if image.relative_to(root).as_posix() not in known
    )
    return [
        problem(folder, f'{n} of its files are in no split', 'not used')
        for folder, n in unknown.items()
    ]
