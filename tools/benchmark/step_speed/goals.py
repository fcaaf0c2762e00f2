"""What was to be reached, and what a machine makes of it."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Goal(NamedTuple):
    """A bound for one number of a measurement.

    Attributes:
        what (str): What is bounded.
        at_least (bool): Or else at most.
        bound (float): The bound.
        find (Callable): The number, of what ``measure_steps`` gives; None
            where it was not measured.
    """

    what: str
    at_least: bool
    bound: float
    find: Callable[[dict[str, Any]], float | None]


def _ratio(name: str, base: str) -> Callable[[dict[str, Any]], float | None]:
    def find(result: dict[str, Any]) -> float | None:
        found = result['ratios'].get(f'{name}/{base}')
        return found and found[1]

    return find


def _of_ours(key: str) -> Callable[[dict[str, Any]], float | None]:
    def find(result: dict[str, Any]) -> float | None:
        rows = {row['name']: row for row in result['rows']}
        return rows['ours'][key] if 'ours' in rows else None

    return find


def _of_the_card(result: dict[str, Any]) -> float | None:
    used, card = _of_ours('peak_bytes')(result), result['machine']['memory']
    return used / card if used and card else None


def _longest_gap(result: dict[str, Any]) -> float | None:
    found = result.get('gaps')
    return found and found['longest']


_FLOOR = Goal('time of `scene` / `mae`', False, 1.03, _ratio('scene', 'mae'))
# For ViT-B, batches of 8, float32, 2 cores.
ON_CPU = [
    Goal(
        'time of `reference` / `ours`', True, 1.7, _ratio('reference', 'ours')
    ),
    Goal(
        'time of `reference` / `cached`',
        True,
        2.3,
        _ratio('reference', 'cached'),
    ),
    _FLOOR,
]
# For ViT-L, batches of 256, bfloat16, one H200.
ON_GPU = [
    Goal(
        'time of `reference` / `ours`', True, 2.5, _ratio('reference', 'ours')
    ),
    _FLOOR,
    Goal('share of the matmul peak', True, 0.5, _of_ours('share_of_peak')),
    Goal('share of the memory', False, 0.6, _of_the_card),
    Goal('longest gap, share of a step', False, 0.05, _longest_gap),
]
# Pairs whose times are compared round by round.
PAIRS = [('reference', 'ours'), ('reference', 'cached'), ('scene', 'mae')]


def goals_table(result: dict[str, Any]) -> list[str]:
    """Rows in Markdown: what was to be reached, and what was found.

    Args:
        result (dict): Of ``measure_steps``.

    Returns:
        list[str]: Lines; none where nothing of it was measured.
    """
    goals = ON_GPU if result['machine']['memory'] else ON_CPU
    setting = (
        'ViT-L, batches of 256, bfloat16, one H200'
        if goals is ON_GPU
        else 'ViT-B, batches of 8, float32, 2 cores'
    )
    rows = []
    for goal in goals:
        found = goal.find(result)
        if found is None:
            continue
        reached = found >= goal.bound if goal.at_least else found <= goal.bound
        sign = 'at least' if goal.at_least else 'at most'
        rows.append(
            f'| {goal.what} | {sign} {goal.bound} | {found:.3f} | '
            f'{"yes" if reached else "no"} |'
        )
    head = [f'| set for {setting} | to reach | here | reached |']
    return [*head, '|---|---|---|---|', *rows] if rows else []
