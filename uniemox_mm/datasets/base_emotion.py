"""Base class of all datasets of emotional images."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset

from uniemox_mm.utils.json_files import read_json

from .errors import BadSampleError, StaleFeaturesError
from .persons import read_person_file
from .sample_randomness import seeded


class BaseEmotionDataset(BaseDataset):
    """Labelled images with optional person boxes.

    Subclasses list their images in :meth:`load_data_list` and may add to a
    sample when it is read, in :meth:`complete`.

    Args:
        data_root (str): The dataset's folder.
        pipeline (Sequence[dict]): Transforms.
        fraction (float): Fraction of each class to keep, in (0, 1], for
            learning curves; at least one image of a class. Defaults to 1.
        seed (int): Chooses which images are kept. Defaults to 0.
        persons (str, optional): A boxes file, relative to ``data_root`` or
            absolute; see :func:`read_person_file`.
        on_bad_sample (str): 'error', or 'skip' to replace a sample with a
            broken image, annotation or box by the next one and to report it
            at the end of the epoch (:class:`BadSampleHook`). With
            ``test_mode=True`` a broken sample is always an error, since its
            replacement would be counted in the metric. Defaults to 'error'.
        **kwargs: Those of :class:`mmpretrain.datasets.BaseDataset`.
    """

    def __init__(
        self,
        data_root: str,
        pipeline=(),
        fraction: float = 1.0,
        seed: int = 0,
        persons: str | None = None,
        on_bad_sample: str = 'error',
        **kwargs,
    ) -> None:
        if not 0 < fraction <= 1:
            raise ValueError(f'fraction must be in (0, 1], but is {fraction}')
        if on_bad_sample not in ('error', 'skip'):
            raise ValueError(
                "on_bad_sample must be 'error' or 'skip', but is "
                f'{on_bad_sample!r}'
            )
        self.fraction = fraction
        self.seed = seed
        self.persons = persons
        self.on_bad_sample = on_bad_sample
        # (run seed, epoch); in shared memory because workers that live on
        # from epoch to epoch hold a copy of everything else.
        self._epoch_key = torch.full((2,), -1).share_memory_()
        kwargs.setdefault('ann_file', '')
        super().__init__(data_root=data_root, pipeline=pipeline, **kwargs)

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Make the randomness of every sample a function of its index.

        Until this is called (by :class:`EpochSeedHook`) transforms draw from
        the worker's global generators, as in MMEngine.

        Args:
            seed (int): The run's seed.
            epoch (int): The epoch, from 0.
        """
        self._epoch_key[0], self._epoch_key[1] = seed, epoch

    def complete(self, info: dict) -> dict:
        """Add to a sample what is read only when it is needed."""
        return info

    def full_init(self) -> None:
        """List the images and attach their boxes."""
        if self._fully_initialized:
            return
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(
                f'{root}: no such folder; expected the root of '
                f'{type(self).__name__}:\n{self.layout()}'
            )
        with collection_paused():
            super().full_init()

    def layout(self) -> str:
        """Describe the folder tree that ``data_root`` must hold."""
        return f'{self.data_root}/'

    def filter_data(self) -> list[dict]:
        """Attach the boxes and keep ``fraction`` of each class."""
        data_list = self.data_list
        if self.persons is not None:
            self._attach_persons(data_list)
        elif 'PersonCrop' in repr(self.pipeline) and not any(
            'persons' in info for info in data_list
        ):
            MMLogger.get_current_instance().warning(
                f'No person boxes are known for {self.data_root}: the person '
                'stream sees whole images. Give persons= a boxes file.'
            )
        if self.fraction == 1:
            return data_list
        labels = np.array([info['gt_label'] for info in data_list])
        rng = np.random.default_rng(self.seed)
        kept: list[int] = []
        for label in np.unique(labels):
            members = rng.permutation(np.flatnonzero(labels == label))
            count = max(1, round(self.fraction * len(members)))
            kept.extend(members[:count].tolist())
        return [data_list[i] for i in sorted(kept)]

    def prepare_data(self, idx: int) -> Any:
        """Read a sample, or the next good one with ``on_bad_sample='skip'``.

        Args:
            idx (int): Index of the sample.

        Returns:
            Any: The output of the pipeline; a packed sample that replaces
            broken ones has their messages in the metainfo ``skipped``.

        Raises:
            BadSampleError: The sample is broken, or as many as
                ``max_refetch`` in a row are.
        """
        if not -len(self) <= idx < len(self):  # which ends a for loop
            raise IndexError(f'sample {idx} of {len(self)}')
        skipped: list[str] = []
        for offset in range(min(len(self), self.max_refetch + 1)):
            try:
                data = self._read((idx + offset) % len(self))
            except BadSampleError as error:
                if self.test_mode:
                    raise
                if self.on_bad_sample == 'error':
                    raise BadSampleError(
                        f"{error} (the dataset's on_bad_sample='skip' would "
                        'leave such samples out)'
                    ) from error
                skipped.append(str(error))
                continue
            if skipped and isinstance(data, dict) and 'data_samples' in data:
                data['data_samples'].set_metainfo(dict(skipped=skipped))
            return data
        raise BadSampleError(
            f'{len(skipped)} broken samples in a row, the last: {skipped[-1]}'
        )

    def _read(self, idx: int) -> Any:
        info = self.get_data_info(idx)
        path = info['img_path']
        seed, epoch = self._epoch_key.tolist()
        try:
            info = self.complete(info)
            if epoch < 0:
                return self.pipeline(info)
            with seeded(seed, epoch, idx):
                return self.pipeline(info)
        except (BadSampleError, StaleFeaturesError):
            raise
        except Exception as error:
            raise RuntimeError(
                f'{path}: {type(error).__name__} in the pipeline: {error}'
            ) from error

    def _attach_persons(self, data_list: list[dict]) -> None:
        assert self.persons is not None
        path = Path(self.data_root) / self.persons
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}: no such boxes file; set persons=None of the dataset '
                'to use whole images as persons'
            )
        boxes, root = read_person_file(path), Path(self.data_root)
        missing = []
        for info in data_list:
            name = image_key(info['img_path'], root)
            if name in boxes:
                info['persons'] = boxes[name]
            else:
                missing.append(name)
        if missing:
            raise ValueError(
                f'{path}: has boxes for {len(data_list) - len(missing)} of '
                f'the {len(data_list)} images in {root}; {missing[0]} is '
                'missing. Expected one entry per image, with an empty list '
                'where nobody is in it, and paths relative to the root'
            )

    def _openmmlab_rows(self, path: Path, content: dict) -> list[dict]:
        """Check OpenMMLab 2.0 content, and put its paths below the root."""
        entries = content.get('data_list')
        metainfo = content.get('metainfo') or {}
        if not isinstance(entries, list) or not isinstance(metainfo, dict):
            raise ValueError(
                f'{path}: expected {{"metainfo": {{...}}, "data_list": '
                f'[...]}}, but found the keys {sorted(content)}'
            )
        classes = tuple(self.METAINFO['classes'])
        named = metainfo.get('classes')
        listed = tuple(named) if isinstance(named, list) else named
        if listed is not None and listed != classes:
            raise ValueError(
                f'{path}: its classes are {listed}, expected {classes}'
            )
        folder, labels = str(Path(self.data_root)), range(len(classes))
        for number, entry in enumerate(entries):
            if (
                not isinstance(entry, dict)
                or not isinstance(entry.get('img_path'), str)
                or 'gt_label' not in entry
            ):
                raise ValueError(
                    f'{path}: entry {number} is {entry!r}; expected an object '
                    'with at least img_path (a string) and gt_label'
                )
            if entry['gt_label'] not in labels:
                raise ValueError(
                    f'{path}: entry {number} has the label '
                    f'{entry["gt_label"]!r}; expected 0 to {len(labels) - 1}'
                )
            # Path takes many times as long, which 100,000 rows add up.
            image = os.path.join(folder, entry['img_path'])  # noqa: PTH118
            entry['img_path'] = image
        return entries

    @staticmethod
    def read_sample_json(path: str | Path) -> dict:
        """Read a JSON object that belongs to one sample.

        Raises:
            BadSampleError: The file is missing or not a JSON object.
        """
        try:
            content = read_json(path)
        except (FileNotFoundError, ValueError) as error:
            raise BadSampleError(f'{error}; expected a JSON object') from None
        if not isinstance(content, dict):
            raise BadSampleError(
                f'{path}: expected a JSON object, but found '
                f'{type(content).__name__}'
            )
        return content


def image_key(img_path: str, data_root: str | Path) -> str:
    """Return a name of an image that does not depend on the data root."""
    path = PurePath(img_path)
    if path.is_relative_to(data_root):
        path = path.relative_to(data_root)
    return path.as_posix()


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause Python's garbage collector while a long list is read.

    It would look through all objects of the list again and again and take
    half of the time, without finding any garbage.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
