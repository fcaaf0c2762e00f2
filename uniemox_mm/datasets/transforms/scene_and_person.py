"""Two views of one decoded image."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform, Compose
from mmpretrain.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SceneAndPerson(BaseTransform):
    """Make the scene view and the person view from one decoded image.

    Unlike MMPretrain's ``MultiView`` the two views have pipelines of their
    own and share the decoded pixels instead of deep-copying them, so neither
    pipeline may start with a transform that writes into the image in place.

    Required Keys: ``img`` and what the transforms need. Modified Keys:
    ``img``, which becomes ``[scene, person]``. The other keys are those of
    the scene, with the ``person_box`` of the person.

    Args:
        scene (Sequence[dict | callable]): Transforms of the scene view.
        person (Sequence[dict | callable]): Transforms of the person view,
            usually starting with :class:`PersonCrop`.
    """

    def __init__(self, scene: Sequence, person: Sequence) -> None:
        self.scene = Compose([_build(t) for t in scene])
        self.person = Compose([_build(t) for t in person])

    def transform(self, results: dict) -> dict:
        """Replace ``results['img']`` by the two views."""
        person = self.person(dict(results))
        scene = self.scene(results)
        scene['img'] = [scene['img'], person['img']]
        scene['person_box'] = person.get('person_box')
        return scene

    def __repr__(self) -> str:
        return f'SceneAndPerson(scene={self.scene}, person={self.person})'


def _build(transform):
    return (
        TRANSFORMS.build(transform)
        if isinstance(transform, dict)
        else transform
    )
