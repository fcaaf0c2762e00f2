"""UniEmoX for MMPretrain: importing this package registers all its parts."""

import io
import warnings
from contextlib import redirect_stdout
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .mmcv_ops import provide_mmcv_ops
from .version import __version__

_INSTALL_HINT = (
    'install the framework with `pip install "uniemox_mm[mm]"` (the '
    'maintained onedl-* distributions) or `pip install '
    '"uniemox_mm[openmmlab]"` (the original ones)'
)
# Import name -> first supported and first unsupported version.
_SUPPORTED = dict(
    mmengine=('0.10.4', '1.0.0'),
    mmcv=('2.0.1', '2.4.0'),
    mmpretrain=('1.2.0', '2.0.0'),
)


# What the framework says about optional parts that nothing here needs.
_NOISE = (
    'Fail to import ``MultiScaleDeformable',
    'Could not import OneDL',
    'faster_coco_eval is not installed',
)


def _import_quietly(name: str) -> ModuleType:
    with (
        warnings.catch_warnings(record=True) as caught,
        redirect_stdout(io.StringIO()) as printed,
    ):
        module = import_module(name)
    for line in printed.getvalue().splitlines():
        if line and not line.startswith(_NOISE):
            print(line)
    for warning in caught:
        if not str(warning.message).startswith(_NOISE):
            warnings.warn_explicit(
                warning.message,
                warning.category,
                warning.filename,
                warning.lineno,
            )
    return module


def _check_versions() -> None:
    """Refuses a missing or unsupported framework before a deep traceback.

    Raises:
        ImportError: A framework package is missing or outside its range; the
            message names the package, the range and what to install.
    """
    for name, (lowest, above) in _SUPPORTED.items():
        try:
            module = _import_quietly(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ImportError(
                f'uniemox_mm needs {name}>={lowest},<{above}, which is not '
                f'installed: {_INSTALL_HINT}'
            ) from None
        from mmengine.utils import digit_version

        found = module.__version__
        if not (
            digit_version(lowest)
            <= digit_version(found)
            < digit_version(above)
        ):
            raise ImportError(
                f'uniemox_mm needs {name}>={lowest},<{above} but found '
                f'{name} {found}: {_INSTALL_HINT}'
            )


_check_versions()
provide_mmcv_ops()
for _part in ('mmpretrain.datasets', 'mmpretrain.models'):
    _import_quietly(_part)

from . import datasets, engine, evaluation, models  # noqa: E402

if TYPE_CHECKING:
    from .apis import EmotionInferencer, ZeroShotEmotionInferencer

__all__ = [
    'EmotionInferencer',
    'ZeroShotEmotionInferencer',
    '__version__',
    'datasets',
    'engine',
    'evaluation',
    'models',
]


def __getattr__(name: str) -> Any:
    # Training needs none of them, and they import MMPretrain's inferencers.
    if name in ('EmotionInferencer', 'ZeroShotEmotionInferencer'):
        return getattr(import_module('.apis', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
