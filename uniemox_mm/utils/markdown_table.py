"""Tables in Markdown."""

from collections.abc import Iterable


def markdown_table(
    header: Iterable[object], rows: Iterable[Iterable[object]]
) -> str:
    """Format a table, one line per row; vertical bars are escaped.

    Example:
        >>> print(markdown_table(['class', 'images'], [['awe', 3]]))
        | class | images |
        |---|---|
        | awe | 3 |
    """
    header = list(header)
    lines = [_row(header), '|---' * len(header) + '|', *map(_row, rows)]
    return '\n'.join(lines)


def _row(cells: Iterable[object]) -> str:
    escaped = (str(cell).replace('|', r'\|') for cell in cells)
    return f'| {" | ".join(escaped)} |'
