"""What is compared, in rounds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from mmpretrain.registry import DATASETS
from tqdm import tqdm

from uniemox_mm.datasets import EmoSet

from .backends import LOADERS
from .forms import Form
from .stages import BOTH, SCENE, STEPS, Clock, Stages, clocked_pipeline

SEED = 0  # of the augmentation
_NAMES = dict(pillow='Pillow', cv2='OpenCV', turbojpeg='turbojpeg')


@dataclass(frozen=True)
class Way:
    """How images become views.

    Attributes:
        backend (str): What decodes, a key of ``LOADERS``.
        scaled (bool): Whether JPEGs are decoded smaller where they may be.
        resizing (str): The backend that resizes views, 'pillow' or 'torch'.
    """

    backend: str
    scaled: bool = False
    resizing: str = 'pillow'

    @property
    def name(self) -> str:
        """As in tables."""
        scaled = ', scaled' if self.scaled else ''
        resizing = '; torch resizes' if self.resizing == 'torch' else ''
        return _NAMES[self.backend] + scaled + resizing


BY_PILLOW = Way('pillow')
BY_TORCH = Way('pillow', resizing='torch')
WAYS = (
    *(Way(backend, scaled) for scaled in (False, True) for backend in LOADERS),
    BY_TORCH,
    Way('pillow', scaled=True, resizing='torch'),
)


def way_of(stages: Stages, short_side: int) -> Way | None:
    """Which of ``WAYS`` a config has.

    Args:
        stages (Stages): The config's pipeline.
        short_side (int): What scaled decoding leaves at least, in pixels.

    Returns:
        Way | None: None where it does something else.
    """
    decoded = stages.load.get('decode_short_side')
    for scaled, resizing in product((False, True), ('pillow', 'torch')):
        if (
            decoded == (short_side if scaled else None)
            and stages.resized_by(resizing) == stages
        ):
            return Way('pillow', scaled, resizing)
    return None


class Variant:
    """One way, form and number of views.

    Args:
        form (Form): The data set.
        dataset (EmoSet): The same, built; variants may share it.
        way (Way): How images become views.
        views (str): ``BOTH`` or ``SCENE``.
        stages (Stages): The config's pipeline.
        short_side (int): What scaled decoding leaves at least, in pixels.
    """

    def __init__(
        self,
        form: Form,
        dataset: EmoSet,
        way: Way,
        views: str,
        stages: Stages,
        short_side: int,
    ) -> None:
        self.form, self.dataset, self.way, self.views = (
            form, dataset, way, views
        )  # fmt: skip
        self.clock = Clock()
        self.pipeline = clocked_pipeline(
            stages.resized_by(way.resizing),
            views,
            LOADERS[way.backend],
            short_side if way.scaled else None,
            self.clock,
        )
        self.rounds: list[dict[str, float]] = []

    def read(self, epoch: int, count: int | None = None) -> list[dict]:
        """Reads images in this process.

        Args:
            epoch (int): Decides the augmentation.
            count (int, optional): How many. Defaults to all.

        Returns:
            list[dict]: What the pipeline makes of them.
        """
        self.dataset.pipeline = self.pipeline
        self.dataset.set_epoch(SEED, epoch)
        return [self.dataset[i] for i in range(count or len(self.dataset))]

    def measure(self, epoch: int) -> None:
        """Reads all images and notes the times.

        Args:
            epoch (int): Decides the augmentation.
        """
        self.clock.reset()
        start = time.perf_counter()
        count = len(self.read(epoch))
        taken = {**self.clock.seconds, 'all': time.perf_counter() - start}
        self.rounds.append({k: v / count for k, v in taken.items()})

    def result(self) -> dict:
        """Names, and the seconds an image took in each round, by step."""
        return dict(
            form=self.form.name,
            way=self.way.name,
            views=self.views,
            seconds={
                step: [taken[step] for taken in self.rounds]
                for step in (*STEPS, 'all')
            },
        )


def measure_variants(
    forms: Sequence[Form],
    ways: Sequence[Way],
    stages: Stages,
    short_side: int,
    rounds: int,
) -> list[dict]:
    """Measures every form, way and number of views in every round.

    Args:
        forms (Sequence[Form]): The same images in several forms.
        ways (Sequence[Way]): Ways that can run here.
        stages (Stages): The config's pipeline.
        short_side (int): What scaled decoding leaves at least, in pixels.
        rounds (int): How often.

    Returns:
        list[dict]: The result of each variant.
    """
    datasets = [DATASETS.build(form.config([])) for form in forms]
    variants = [
        Variant(form, dataset, way, views, stages, short_side)
        for (form, dataset), way, views in product(
            zip(forms, datasets, strict=True), ways, (SCENE, BOTH)
        )
    ]
    for variant in variants:  # warm up
        variant.read(epoch=0, count=min(8, variant.form.images))
    total = rounds * len(variants)
    with tqdm(total=total, desc='in one process', unit='pass') as bar:
        for number in range(rounds):
            # Another one comes first each time.
            start = number * len(variants) // rounds
            for variant in variants[start:] + variants[:start]:
                variant.measure(number)
                bar.update()
    return [variant.result() for variant in variants]
