"""Overrides of a config on the command line."""

import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


class CfgOptions(DictAction):
    """MMEngine's ``KEY=VALUE`` action, with usage errors for the rest."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add overrides to the earlier ones.

        Raises:
            argparse.ArgumentError: An override is not ``KEY=VALUE``.
        """
        for text in values or ():
            if text.find('=') < 1:
                raise argparse.ArgumentError(
                    self, f'{text!r}: expected KEY=VALUE'
                )
        try:
            super().__call__(parser, namespace, values, option_string)
        except AssertionError as error:  # brackets that are not closed
            raise argparse.ArgumentError(self, str(error)) from None
