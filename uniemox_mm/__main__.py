"""``python -m uniemox_mm``: commands that need no copy of the repository."""

import argparse
import sys

from .apis.predict import add_predict


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments (list[str], optional): The command line. Defaults to the
            process's own.

    Returns:
        int: The exit code.
    """
    parser = argparse.ArgumentParser(prog='python -m uniemox_mm')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    add_predict(commands)
    args = parser.parse_args(arguments)
    return args.run(args)


if __name__ == '__main__':
    sys.exit(main())
