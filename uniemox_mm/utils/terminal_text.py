"""Text that is safe to print to a terminal."""


def printable(text: object) -> str:
    r"""Escape control characters, which a terminal would obey.

    Example:
        >>> from uniemox_mm.utils.terminal_text import printable
        >>> print(printable('red' + chr(27)))
        red\x1b
    """
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
