"""What is to be known of the splits that were made."""

from collections.abc import Mapping, Sequence

from uniemox_mm.datasets.class_folders import LabelledImage

from .division import Division
from .duplicates import CopyGroup, count_copies
from .splits_files import sha256_of_split

_RULE = (
    'test keeps all of its images; of copies in several splits the one in the '
    'last of train, val, test stays; of copies inside train or val the first '
    'stays, or none where their labels differ'
)


def describe_splits(
    classes: Sequence[str],
    division: Division,
    hashes: Mapping[str, str],
    broken: Mapping[str, str],
) -> dict:
    """Describes a division, in plain JSON.

    Args:
        classes (Sequence[str]): Names of the classes.
        division (Division): The division.
        hashes (Mapping[str, str]): Name of each good image -> SHA-256.
        broken (Mapping[str, str]): Name of each other one -> what is wrong.

    Returns:
        dict: ``counts``: split -> class -> images; ``sha256`` of each split;
        ``broken``: images with their ``problem``; ``copies``: counts of
        groups of copies, all ``members`` of them, and of those that were
        ``dropped`` why.
    """
    return dict(
        counts={
            split: {
                name: sum(image.label == label for image in part)
                for label, name in enumerate(classes)
            }
            for split, part in division.splits.items()
        },
        sha256={
            split: sha256_of_split(part, hashes)
            for split, part in division.splits.items()
        },
        broken=[
            dict(img_path=name, problem=problem)
            for name, problem in broken.items()
        ],
        copies=dict(
            count_copies(division.copies),
            dropped=[
                dict(img_path=name, reason=reason)
                for name, reason in division.dropped.items()
            ],
            rule_of_dropping=_RULE,
            members=[_members(group, classes) for group in division.copies],
        ),
    )


def _members(group: CopyGroup, classes: Sequence[str]) -> dict:
    def entry(split: str, image: LabelledImage) -> dict:
        return dict(
            img_path=image.name, split=split, label=classes[image.label]
        )

    return dict(
        sha256=group.sha256,
        conflict=len(group.labels) > 1,
        images=[entry(split, image) for split, image in group.images],
    )
