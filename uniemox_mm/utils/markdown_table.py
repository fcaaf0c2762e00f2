"""Tables in Markdown."""

from collections.abc import Iterable


def markdown_table(
    header: Iterable[object], rows: Iterable[Iterable[object]]
) -> str:
    """Format a table.

    Args:
        header (Iterable): Names of the columns.
        rows (Iterable[Iterable]): The cells of each row, as text or anything
            that ``str`` makes text of. Vertical bars in them are escaped.

    Returns:
        str: One line a row, without a line break at the end.

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
