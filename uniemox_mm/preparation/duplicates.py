"""Exact copies of images: find them, and choose which to drop."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.splitting import SPLITS

CONFLICT = 'its copies in this split have different labels'
_RULE = (
    'test keeps all of its images; of copies in several splits the one in the '
    'last of train, val, test stays; of copies inside train or val the first '
    'stays, or none where their labels differ'
)


@dataclass(frozen=True)
class CopyGroup:
    """Images whose files are equal, byte by byte."""

    sha256: str  # of the file
    # Two or more, each with its split, in the order of the splits.
    images: tuple[tuple[str, LabelledImage], ...]

    def of(self, split: str) -> list[LabelledImage]:
        """Return those in a split."""
        return [image for where, image in self.images if where == split]

    @property
    def labels(self) -> set[int]:
        """Their labels; more than one is a conflict."""
        return {image.label for _, image in self.images}


def find_copies(
    splits: Mapping[str, Sequence[LabelledImage]], hashes: Mapping[str, str]
) -> list[CopyGroup]:
    """Group the images that occur more than once, by their files' hashes."""
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
    """Choose the copies to drop from train and val; test stays as it is.

    An image that is also in a later split is dropped. Of the others within a
    split the first stays, or none where their labels differ, since nobody
    knows which is right.

    Returns:
        dict[str, str]: Name of an image -> why it is dropped.
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


def describe_copies(
    groups: Sequence[CopyGroup],
    dropped: Mapping[str, str],
    classes: Sequence[str],
) -> dict:
    """Describe groups of copies for the report.

    Returns:
        dict: ``groups``, how many; ``inside``: split -> groups with several
        images in it; ``across``: a pair such as 'train-test' -> groups with
        images in both; ``conflicts``: groups with different labels;
        ``dropped`` images with ``reason``, ``rule_of_dropping``, and all
        ``members`` of the groups.
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
        dropped=[
            dict(img_path=name, reason=reason)
            for name, reason in dropped.items()
        ],
        rule_of_dropping=_RULE,
        members=[
            dict(
                sha256=group.sha256,
                conflict=len(group.labels) > 1,
                images=[
                    dict(
                        img_path=image.name,
                        split=split,
                        label=classes[image.label],
                    )
                    for split, image in group.images
                ],
            )
            for group in groups
        ],
    )
