"""The measured steps as text."""

from typing import Any

from machine import machine_text

from .arrangements import ARRANGEMENTS
from .goals import goals_table


def markdown(result: dict[str, Any]) -> str:
    """Tables of what :func:`measure_steps` gives."""
    machine = result['machine']
    peaks = ', '.join(
        f'{peak / 1e12:.2f} T multiply-adds a second in {precision}'
        for precision, peak in result['matmul_peak'].items()
    )
    lines = [
        f'`{result["config"]}`, batches of {result["batch_size"]}, medians '
        f'and quartiles of {result["rounds"]} rounds of {result["steps"]} '
        f'steps. {machine_text(machine)}. Large matrix products reach '
        f'{peaks}.',
        '',
        '| arrangement | precision | images/s | of the matmul peak | peak '
        'memory | G multiply-adds an image | time of a step, ours = 1 | '
        'predicted |',
        '|---|---|---|---|---|---|---|---|',
    ]
    lines += [_row(row) for row in result['rows']]
    lines += ['']
    lines += [
        f'- `{row["name"]}`: {ARRANGEMENTS[row["name"]]}'
        for row in result['rows']
    ]
    if result['left_out']:
        lines += ['', 'Out of memory: ' + ', '.join(result['left_out']) + '.']
    goals = goals_table(result)
    lines += ['', *goals] if goals else []
    if result['loss_differences']:
        differences = ', '.join(
            f'{name} {value:.1e}'
            for name, value in result['loss_differences'].items()
        )
        lines += [
            '',
            'Losses of `ours` and `reference` on the same weights, masks and '
            f'images in float32 differ by: {differences}.',
        ]
    if 'parts' in result:
        lines += ['', *_parts(result)]
    further = _further(result)
    lines += ['', *further] if further else []
    return '\n'.join(lines) + '\n'


def _row(row: dict[str, Any]) -> str:
    low, high = row['spread']
    times = row['times_ours']
    cells = [
        f'`{row["name"]}`',
        row['precision'],
        f'{row["images_per_second"]:.2f} ({low:.2f} to {high:.2f})',
        _percent(row['share_of_peak']),
        'not measured'
        if row['peak_bytes'] is None
        else f'{row["peak_bytes"] / 1e9:.1f} GB',
        ''
        if not row['multiply_adds']
        else f'{row["multiply_adds"] / 1e9:.1f}',
        f'{times["measured"]:.2f} ({times["spread"][0]:.2f} to '
        f'{times["spread"][1]:.2f})'
        if times
        else '1',
        f'{times["predicted"]:.2f}' if times and times['predicted'] else '',
    ]
    return f'| {" | ".join(cells)} |'


def _parts(result: dict[str, Any]) -> list[str]:
    whole, parts = result['step_of_parts'], result['parts']
    rows = [
        '| part, with its backward pass | ms | of the step |',
        '|---|---|---|',
    ]
    for name, seconds in (*parts.items(), ('sum', sum(parts.values()))):
        rows.append(
            f'| {name} | {1e3 * seconds:.1f} | {_percent(seconds / whole)} |'
        )
    return [*rows, f'| measured step | {1e3 * whole:.1f} | 100 % |']


def _further(result: dict[str, Any]) -> list[str]:
    """What was looked at beside the times, as far as it was reached."""
    lines = []
    if 'data_wait' in result:
        wait = result['data_wait']
        lines.append(
            '- waiting for images: '
            + (
                'not measured, the data set is not there'
                if wait is None
                else f'{1e3 * wait:.1f} ms a step'
            )
        )
    if 'waits' in result:
        waits = result['waits'].items()
        lines.append(
            '- the host waits for the device in a step: '
            + (
                ', '.join(f'{count} x {place}' for place, count in waits)
                or 'never'
            )
        )
    if 'gaps' in result:
        gaps = result['gaps']
        lines.append(
            '- the device is idle: '
            + (
                'not measured here'
                if gaps is None
                else f'{_percent(gaps["idle"])} of a step, '
                f'{_percent(gaps["longest"])} at a time'
            )
        )
    return lines


def _percent(share: float | None) -> str:
    return '' if share is None else f'{100 * share:.1f} %'
