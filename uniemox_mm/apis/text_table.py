"""Results as text for people."""

from collections.abc import Sequence

from uniemox_mm.utils.terminal_text import printable


def text_table(results: Sequence[dict], top: int) -> str:
    """A line an image: its most likely emotions, and its people.

    Args:
        results (Sequence[dict]): Of ``EmotionInferencer``; those without an
            emotion are left out.
        top (int): Number of emotions in a line.

    Returns:
        str: The lines, columns aligned.

    Example:
        >>> scores = dict(awe=0.25, joy=0.75)
        >>> print(text_table([dict(path='a.jpg', scores=scores)], top=2))
        a.jpg  joy 75.0 %  awe 25.0 %
        <BLANKLINE>
    """
    rows = [_cells(result, top) for result in results if 'scores' in result]
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    return ''.join(
        '  '.join(map(str.ljust, row, widths)).rstrip() + '\n' for row in rows
    )


def _cells(result: dict, top: int) -> list[str]:
    scores = result['scores']
    best = sorted(scores, key=scores.get, reverse=True)[:top]
    width = max(map(len, scores))
    cells = [printable(result['path'] or '')]
    cells += [f'{name:<{width}} {100 * scores[name]:5.1f} %' for name in best]
    if 'persons' in result:
        count = len(result['persons'])
        cells.append(f'{count} {"person" if count == 1 else "people"}')
    return cells
