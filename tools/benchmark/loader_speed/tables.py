"""What was measured, as Markdown."""

from collections.abc import Iterable, Sequence

from .backends import LOADERS
from .forms import DATABASE, FILES, RAW
from .ratios import Spread, Times
from .stages import BOTH, SCENE, STEPS
from .variants import BY_PILLOW, BY_TORCH, WAYS, Way

FASTER, COST = 2.5, 1.35  # to reach


def markdown(result: dict) -> str:
    """The tables of a measurement.

    Args:
        result (dict): That of :func:`measure_loader`.

    Returns:
        str: Markdown.
    """
    times = Times(result['variants'])
    settings = result['settings']
    parts = [
        '# Speed of the data pipeline',
        _machine(result['machine']),
        f'{settings["config"]}, images: {settings["images"]}. Median of '
        f'{settings["rounds"]} rounds, in brackets the lowest and the '
        'highest; all files in the page cache. Scaled: JPEGs decoded at 1/2, '
        f'1/4 or 1/8, not under {settings["short_side"]} pixels on the short '
        "side. The default is the config's.",
        _forms(result['forms']),
        '## Images a second in one process',
        _rates(times, result),
        '## Where the time goes',
        f'Milliseconds an image, {BOTH}.',
        _steps(times, result),
        '## Through the data loader',
        f'Images a second, batches of {settings["batch_size"]}, the '
        f"config's pipeline as it is{_of_way(settings['way'])}.",
        _workers(result),
        '## To reach',
        _targets(times, result),
    ]
    return '\n\n'.join(parts) + '\n'


def _machine(machine: dict) -> str:
    versions = machine['versions'].items()
    return f'{machine["processor"]}, {machine["cores"]} cores; ' + ', '.join(
        f'{name} {version}' for name, version in versions
    )


def _forms(forms: dict[str, dict]) -> str:
    head = ['form', 'images', 'with people', 'pixels', 'KB']
    rows = (
        [
            name,
            f'{facts["images"]}',
            f'{facts["with_people"]}',
            f'{facts["long_side"]:g} x {facts["short_side"]:g}',
            f'{facts["kilobytes"]:.0f}',
        ]
        for name, facts in forms.items()
    )
    return _table(head, rows)


def _rates(times: Times, result: dict) -> str:
    head = ['form', 'decoding', SCENE, BOTH, 'cost of both', f'over {RAW}']
    rows = []
    for form in result['forms']:
        for way in WAYS:
            if way.backend in result['not_run']:
                rows.append([form, _shown(way, result), *['not run'] * 4])
                continue
            faster = times.over_raw(form, way.name)
            rows.append(
                [
                    form,
                    _shown(way, result),
                    _show(times.rate(form, way.name, SCENE), '.0f'),
                    _show(times.rate(form, way.name, BOTH), '.0f'),
                    _show(times.cost_of_two(form, way.name)),
                    '' if form == RAW else _show(faster),
                ]
            )
    table = _table(head, rows)
    notes = [
        f'Not run: {backend}, since {result["not_run"][backend]}.'
        for backend in LOADERS
        if backend in result['not_run']
    ]
    return '\n\n'.join([table, *notes])


def _steps(times: Times, result: dict) -> str:
    head = ['form', 'decoding', *STEPS, 'rest', 'all']
    rows = []
    for form in result['forms']:
        for way in WAYS:
            if way.backend not in result['not_run']:
                taken = times.milliseconds(form, way.name, BOTH)
                rest = taken['all'] - sum(taken[step] for step in STEPS)
                shown = [taken[s] for s in STEPS] + [rest, taken['all']]
                columns = [f'{ms:.2f}' for ms in shown]
                rows.append([form, _shown(way, result), *columns])
    return _table(head, rows)


def _workers(result: dict) -> str:
    head = ['form', 'workers', 'images a second', 'a worker']
    rows = []
    for row in result['workers']:
        rate = Spread.of(row['rates'])
        rows.append(
            [
                row['form'],
                f'{row["workers"]}',
                _show(rate, '.0f'),
                f'{rate.median / row["workers"]:.0f}',
            ]
        )
    return _table(head, rows)


def _targets(times: Times, result: dict) -> str:
    head = ['what', 'decoding', 'measured', 'to reach', 'reached']
    rows = []
    for way in (BY_PILLOW, BY_TORCH):
        for form in result['forms']:
            cost = times.cost_of_two(form, way.name)
            rows.append(
                [
                    f'{form}: time of {BOTH} over {SCENE}',
                    _shown(way, result),
                    _show(cost),
                    f'at most {COST}',
                    _yes(cost.median <= COST),
                ]
            )
        for form in (FILES, DATABASE):
            faster = times.over_raw(form, way.name)
            rows.append(
                [
                    f'{form}: images a second over {RAW}',
                    _shown(way, result),
                    _show(faster),
                    f'at least {FASTER}',
                    _yes(faster.median >= FASTER),
                ]
            )
    return _table(head, rows)


def _shown(way: Way, result: dict) -> str:
    default = way.name == result['settings']['way']
    return way.name + (' (the default)' if default else '')


def _of_way(name: str | None) -> str:
    return f': {name}' if name else ''


def _yes(reached: bool) -> str:
    return 'yes' if reached else 'no'


def _show(value: Spread, digits: str = '.2f') -> str:
    median, lowest, highest = (format(v, digits) for v in value)
    return f'{median} ({lowest} to {highest})'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
