"""Exact copies of images: where they are, and which of them to leave out."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.splitting import SPLITS

CONFLICT = 'its copies in this split have different labels'


@dataclass(frozen=True)
class CopyGroup:
    """Images whose files are the same, byte by byte.

    Attributes:
        sha256 (str): Of the file.
        images (tuple[tuple[str, LabelledImage], ...]): Two or more, each
            with its split, in the order of the splits.
    """

    sha256: str
    images: tuple[tuple[str, LabelledImage], ...]

    def of(self, split: str) -> list[LabelledImage]:
        """Those in a split."""
        return [image for where, image in self.images if where == split]

    @property
    def labels(self) -> set[int]:
        """Their labels; more than one is a conflict."""
        return {image.label for _, image in self.images}


def find_copies(
    splits: Mapping[str, Sequence[LabelledImage]], hashes: Mapping[str, str]
) -> list[CopyGroup]:
    """Groups the images that are there more than once.

    Args:
        splits (Mapping[str, Sequence[LabelledImage]]): Split -> its images.
        hashes (Mapping[str, str]): Name of an image -> hash of its file.

    Returns:
        list[CopyGroup]: By the first image of each.
    """
    found = defaultdict(list)
    for split in SPLITS:
        for image in splits[split]:
            found[hashes[image.name]].append((split, image))
    return [
        CopyGroup(digest, tuple(images))
        for digest, images in found.items()
        if len(images) > 1
    ]


def copies_to_drop(groups: Sequence[CopyGroup]) -> dict[str, str]:
    """Which copies to leave out of train and val; test stays as it is.

    An image that is also in a later split goes. Of those that are left
    within a split the first stays, or none where their labels differ: it is
    not known then which one is right.

    Args:
        groups (Sequence[CopyGroup]): Of :func:`find_copies`.

    Returns:
        dict[str, str]: Name of an image -> why it goes.
    """
    reasons: dict[str, str] = {}
    for group in groups:
        train, val, test = (group.of(split) for split in SPLITS)
        _drop_from(train, dict(val=val, test=test), reasons)
        _drop_from(val, dict(test=test), reasons)
    return reasons


def _drop_from(
    own: Sequence[LabelledImage],
    later: Mapping[str, Sequence[LabelledImage]],
    reasons: dict[str, str],
) -> None:
    elsewhere = [
        f'also in {split}: {images[0].name}'
        for split, images in later.items()
        if images
    ]
    if elsewhere:
        reasons.update((image.name, elsewhere[-1]) for image in own)
    elif len({image.label for image in own}) > 1:
        reasons.update((image.name, CONFLICT) for image in own)
    else:
        reasons.update((i.name, f'a copy of {own[0].name}') for i in own[1:])


def count_copies(groups: Sequence[CopyGroup]) -> dict:
    """Counts groups of copies.

    Returns:
        dict: ``groups`` in all; ``inside``: split -> groups of which it has
        several; ``across``: a pair such as 'train-test' -> groups of which
        both have some; ``conflicts``: groups with different labels.
    """
    inside: Counter[str] = Counter()
    across: Counter[str] = Counter()
    for group in groups:
        inside.update(s for s in SPLITS if len(group.of(s)) > 1)
        there = [split for split in SPLITS if group.of(split)]
        across.update(f'{a}-{b}' for a, b in combinations(there, 2))
    pairs = [f'{a}-{b}' for a, b in combinations(SPLITS, 2)]
    return dict(
        groups=len(groups),
        inside={split: inside[split] for split in SPLITS},
        across={pair: across[pair] for pair in pairs},
        conflicts=sum(len(group.labels) > 1 for group in groups),
    )
