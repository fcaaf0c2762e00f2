"""Images a second through the real data loader of a config."""

import time
from collections.abc import Sequence
from typing import cast

from mmengine.config import ConfigDict
from mmengine.dataset import RepeatDataset
from mmengine.runner import Runner
from torch.cuda import is_available
from torch.utils.data import DataLoader
from tqdm import tqdm

from uniemox_mm.datasets import BaseEmotionDataset

from .forms import Form
from .variants import SEED

_BATCHES = 4  # that each worker makes in an epoch, at least


def build_loader(
    dataloader: ConfigDict, form: Form, workers: int, images: int
) -> DataLoader:
    """Builds a config's data loader on another data set.

    Args:
        dataloader (ConfigDict): The config's ``train_dataloader``.
        form (Form): The data set, which is repeated.
        workers (int): Number of worker processes.
        images (int): Images an epoch, at least.

    Returns:
        DataLoader: The loader, whose workers live on.
    """
    dataset = form.config(list(dataloader.dataset.pipeline))
    times = -(-images // form.images)
    cfg = {
        **dataloader,
        'dataset': dict(type='RepeatDataset', dataset=dataset, times=times),
        'num_workers': workers,
        'persistent_workers': True,
        'pin_memory': dataloader.get('pin_memory') and is_available(),
    }
    return Runner.build_dataloader(cfg, seed=SEED)


def measure_workers(
    dataloader: ConfigDict,
    forms: Sequence[Form],
    counts: Sequence[int],
    rounds: int,
) -> list[dict]:
    """Measures every form with every number of workers in every round.

    Args:
        dataloader (ConfigDict): The config's ``train_dataloader``.
        forms (Sequence[Form]): The same images in several forms.
        counts (Sequence[int]): Numbers of workers, from 1.
        rounds (int): How often.

    Returns:
        list[dict]: Form, workers, and images a second in each round.
    """
    rows: list[tuple[Form, int, DataLoader, list[float]]] = []
    with tqdm(
        total=(rounds + 1) * len(forms) * len(counts),
        desc='with workers',
        unit='epoch',
    ) as bar:
        for form in forms:
            for workers in counts:
                images = dataloader.batch_size * _BATCHES * workers
                loader = build_loader(dataloader, form, workers, images)
                _images_a_second(loader, 0)  # starts the workers
                bar.update()
                rows.append((form, workers, loader, []))
        for number in range(rounds):
            start = number * len(rows) // rounds
            for _, _, loader, rates in rows[start:] + rows[:start]:
                rates.append(_images_a_second(loader, number))
                bar.update()
    return [
        dict(form=form.name, workers=workers, rates=rates)
        for form, workers, _, rates in rows
    ]


def _images_a_second(loader: DataLoader, epoch: int) -> float:
    repeated = cast(RepeatDataset, loader.dataset)
    cast(BaseEmotionDataset, repeated.dataset).set_epoch(SEED, epoch)
    start = time.perf_counter()
    count = sum(len(batch['data_samples']) for batch in loader)
    return count / (time.perf_counter() - start)
