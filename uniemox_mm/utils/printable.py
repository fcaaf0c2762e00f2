"""Text for terminals, whatever is in it."""


def printable(text: object) -> str:
    r"""Text that a terminal shows and does not obey.

    Args:
        text (object): Anything, such as a name out of a file.

    Returns:
        str: With escapes in place of what cannot be printed.

    Example:
        >>> from uniemox_mm.utils.printable import printable
        >>> print(printable('red' + chr(27)))
        red\x1b
    """
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
