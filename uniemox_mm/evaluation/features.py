"""Extract the features of a split with a frozen encoder."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm


@torch.inference_mode()
def extract_features(
    model: BaseModel, loader: DataLoader, progress: str = ''
) -> tuple[np.ndarray, np.ndarray]:
    """Run a frozen classifier's backbone over a data loader.

    Args:
        model (BaseModel): A classifier of MMPretrain, on its device; it is
            put in eval mode.
        loader (DataLoader): Batches as MMEngine's runner builds them.
        progress (str): Title of the progress bar on stderr; blank for no
            bar.

    Returns:
        tuple[np.ndarray, np.ndarray]: Features (N, C) float32, of the last
        stage, averaged over the image if the backbone gives maps, and
        labels (N,), in the dataset's order.
    """
    model.eval()
    features, labels = [], []
    for batch in tqdm(loader, desc=progress, disable=not progress):
        data = model.data_preprocessor(batch, training=False)
        outputs = model.extract_feat(data['inputs'], stage='backbone')
        features.append(pooled(outputs).numpy())
        labels += [int(sample.gt_label) for sample in data['data_samples']]
    return np.concatenate(features), np.array(labels)


def pooled(outputs: Tensor | Sequence[Tensor]) -> Tensor:
    """Reduce the output of a backbone to a vector per image.

    Args:
        outputs (Tensor | Sequence[Tensor]): Stages, of which the last counts:
            vectors (N, C) or maps (N, C, H, W).

    Returns:
        Tensor: (N, C) float32 on the CPU, averaged over maps; a copy, which
        keeps nothing else in memory.
    """
    last = outputs if isinstance(outputs, Tensor) else outputs[-1]
    vectors = last.flatten(2).mean(2) if last.ndim == 4 else last
    return vectors.to('cpu', torch.float32, copy=True)
