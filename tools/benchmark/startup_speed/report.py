"""The start of a training as a table."""

from statistics import median
from typing import Any


def markdown(result: dict[str, Any]) -> str:
    """Tables of what :func:`measure_startup` gave, medians of the rounds."""
    machine, rounds = result['machine'], result['rounds']
    lines = [
        f'{result["config"]}, {result["rows"]} rows, batches of '
        f'{result["batch_size"]}, {result["workers"]} workers; '
        f'{machine["device"]}, {machine["cores"]} cores, torch '
        f'{machine["torch"]}; median of {len(rounds)} starts, text features '
        'computed before.',
        '',
        '| part | seconds |',
        '|---|---|',
    ]
    for part in rounds[0]['seconds']:
        seconds = [r['seconds'][part] for r in rounds]
        lines.append(f'| {part} | {_spread(seconds, 2)} |')
    total = _spread([r['total'] for r in rounds], 2)
    lines += [f'| **process start to end of first step** | **{total}** |', '']
    lines += [
        '| process | peak RSS, MiB | RSS | PSS | private | private pages of '
        'the annotations |',
        '|---|---|---|---|---|---|',
        _memory('main', [r['main'] for r in rounds]),
    ]
    for number in range(len(rounds[0]['workers'])):
        of_worker = [r['workers'][number] for r in rounds]
        lines.append(_memory(f'worker {number + 1}', of_worker))
    lines += [
        '',
        f'The annotations are {rounds[0]["annotations"]:.1f} MiB, once. '
        f'Memory after {result["steps"]} steps.',
    ]
    return '\n'.join(lines) + '\n'


def _spread(values: list[float], digits: int) -> str:
    low, high = min(values), max(values)
    return (
        f'{median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})'
    )


def _memory(name: str, rounds: list[dict[str, float]]) -> str:
    values = [
        f'{median([r[key] for r in rounds]):.0f}'
        for key in ('peak_rss', 'rss', 'pss', 'private')
    ]
    own = [r['own_annotations'] for r in rounds if 'own_annotations' in r]
    values.append(f'{median(own):.2f}' if own else '')
    return f'| {name} | {" | ".join(values)} |'
