"""Let MMDetection run on an MMCV that was installed without compiled ops."""

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

import torchvision
from torch import Tensor

_NAME = 'mmcv._ext'


def provide_mmcv_ops() -> bool:
    """Replace a missing ``mmcv._ext`` by a stand-in.

    Does nothing without MMDetection. ``pip install`` builds MMCV without its
    compiled ops, and MMDetection then cannot be used. Most detectors need
    one of them, the non-maximum suppression, which torchvision has. Every
    other op can be imported and raises when it is called. Compiled ops, also
    ones that fail to load, are never replaced.

    MMPretrain imports MMDetection where it is installed, and MMDetection
    keeps what it found at its first import, so this must come before both.

    Returns:
        bool: Whether the stand-in is in use.
    """
    if isinstance(sys.modules.get(_NAME), _StandIn):
        return True
    if _NAME in sys.modules or not all(
        importlib.util.find_spec(name) for name in ('mmcv', 'mmdet')
    ):
        return False
    if importlib.util.find_spec(_NAME) is not None:
        return False
    stand_in = _StandIn(_NAME)
    stand_in.__spec__ = ModuleSpec(_NAME, None)  # MMEngine looks for it
    sys.modules[_NAME] = stand_in
    return True


def nms(
    bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int
) -> Tensor:
    """MMCV's non-maximum suppression, by torchvision.

    Args:
        bboxes (Tensor): x1, y1, x2, y2, (N, 4).
        scores (Tensor): (N,).
        iou_threshold (float): Boxes over this IoU with a better one go.
        offset (int): 0, or 1 where a box is x2 - x1 + 1 wide.

    Returns:
        Tensor: Indices of the boxes that stay, best score first.
    """
    grown = bboxes + bboxes.new_tensor([0, 0, offset, offset])
    return torchvision.ops.nms(grown, scores, iou_threshold)


class _StandIn(ModuleType):
    """A module that has every op."""

    nms = staticmethod(nms)
    # What MMCV reports of its build.
    get_compiler_version = staticmethod(lambda: 'not available')
    get_compiling_cuda_version = staticmethod(lambda: 'not available')

    def __getattr__(self, op: str) -> Callable:
        if op.startswith('__'):  # what Python asks of modules
            raise AttributeError(op)

        def missing(*_, **__) -> None:
            raise RuntimeError(
                f'this detector needs the op {op!r} of MMCV, which is '
                'installed here without compiled ops: install MMCV with '
                'MMCV_WITH_OPS=1 (a build of half an hour), take a detector '
                'that only needs nms, such as YOLOv3 or RTMDet, or give '
                "RoIAlign's config use_torchvision=True"
            )

        return missing
