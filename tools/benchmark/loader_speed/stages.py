"""The parts of a pipeline, and how long each of them takes."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS

from uniemox_mm.datasets import LoadEmotionImage, SceneAndPerson

STEPS = ('read', 'decode', 'scene', 'person', 'pack')
SCENE, BOTH = 'scene', 'scene + person'


@dataclass(frozen=True)
class Stages:
    """The parts of a pretraining pipeline, as configs.

    Attributes:
        load (dict): Of :class:`LoadEmotionImage`.
        views (dict): Of :class:`SceneAndPerson`.
        pack (list[dict]): What comes after.
    """

    load: dict
    views: dict
    pack: list[dict]

    @classmethod
    def of(cls, pipeline: Sequence[dict]) -> 'Stages':
        """Takes a pipeline apart.

        Raises:
            ValueError: It is not of this kind.
        """
        types = [transform['type'] for transform in pipeline]
        if types[:2] != ['LoadEmotionImage', 'SceneAndPerson']:
            raise ValueError(
                f'the train pipeline is {" -> ".join(types)}; expected that '
                'of a pretraining config: LoadEmotionImage -> SceneAndPerson '
                '-> ...'
            )
        load, views, *pack = pipeline
        return cls(load, views, list(pack))

    def resized_by(self, backend: str) -> 'Stages':
        """The same with another backend in the transforms that have it."""
        views = copy.deepcopy(self.views)
        for transform in (*views['scene'], *views['person']):
            if transform['type'] in ('FastRandomResizedCrop', 'FastResize'):
                transform['backend'] = backend
        return replace(self, views=views)


class Clock:
    """Adds up the time that is spent in named steps.

    Attributes:
        seconds (dict[str, float]): Step -> time so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts again at 0."""
        self.seconds = dict.fromkeys(STEPS, 0.0)

    def timed(self, step: str, function: Callable) -> Callable:
        """The same function, whose calls count for a step."""

        def call(*args):
            start = time.perf_counter()
            try:
                return function(*args)
            finally:
                self.seconds[step] += time.perf_counter() - start

        return call


def clocked_pipeline(
    stages: Stages,
    views: str,
    loader: type[LoadEmotionImage],
    decode_short_side: int | None,
    clock: Clock,
) -> Compose:
    """Builds a config's pipeline with a clock at each of its steps.

    Args:
        stages (Stages): The pipeline.
        views (str): ``BOTH``, or ``SCENE`` for the first view alone.
        loader (type[LoadEmotionImage]): What loads.
        decode_short_side (int, optional): That of the loader.
        clock (Clock): Counts the time.

    Returns:
        Compose: The pipeline of a dataset.
    """
    options = {k: v for k, v in stages.load.items() if k != 'type'}
    options['decode_short_side'] = decode_short_side
    load = loader(**options)
    # As attributes, so that the class's own transform calls them.
    load.__dict__.update(
        read=clock.timed('read', load.read),
        decode=clock.timed('decode', load.decode),
    )
    both: SceneAndPerson = TRANSFORMS.build(stages.views)
    both.scene = clock.timed('scene', both.scene)
    both.person = clock.timed('person', both.person)
    pack = Compose([TRANSFORMS.build(transform) for transform in stages.pack])
    first = both if views == BOTH else both.scene
    return Compose([load, first, clock.timed('pack', pack)])
