"""Text that is safe to print to a terminal."""


def printable(text: object) -> str:
    r"""Escape what a terminal would obey rather than show.

    Args:
        text (object): Anything, such as a name out of a file.

    Returns:
        str: The text, with escapes instead of control characters.

    Example:
        >>> from uniemox_mm.utils.terminal_text import printable
        >>> print(printable('red' + chr(27)))
        red\x1b
    """
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
