"""A division of a download's images without what cannot be used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uniemox_mm.datasets.class_folders import LabelledImage
from uniemox_mm.datasets.splitting import Ratios, split_images

from .duplicates import CopyGroup, copies_to_drop, find_copies


@dataclass(frozen=True)
class Division:
    """Training, validation and test.

    Attributes:
        splits (dict[str, list[LabelledImage]]): Split -> its images.
        copies (list[CopyGroup]): Images that are there more than once,
            before any were dropped.
        dropped (dict[str, str]): Name of a dropped copy -> why.
    """

    splits: dict[str, list[LabelledImage]]
    copies: list[CopyGroup]
    dropped: dict[str, str]


def divide(
    images: Sequence[LabelledImage],
    shares: Ratios,
    seed: int,
    hashes: Mapping[str, str],
    drop: bool,
) -> Division:
    """Divides images, and only then leaves out broken ones and copies.

    So one broken file more or less moves no other image to another split,
    and the splits are those that the dataset makes in memory, but for the
    images that are left out.

    Args:
        images (Sequence[LabelledImage]): All images.
        shares (Ratios): Part -> split -> share.
        seed (int): Of the division.
        hashes (Mapping[str, str]): Name of each good image -> hash of its
            file.
        drop (bool): Whether to drop copies (:func:`copies_to_drop`).

    Returns:
        Division: The splits.

    Raises:
        ValueError: A split is empty, or the shares do not add up to 1.
    """
    splits = {
        split: [image for image in part if image.name in hashes]
        for split, part in split_images(images, shares, seed).items()
    }
    copies = find_copies(splits, hashes)
    dropped = copies_to_drop(copies) if drop else {}
    splits = {
        split: [image for image in part if image.name not in dropped]
        for split, part in splits.items()
    }
    for split, part in splits.items():
        if not part:
            raise ValueError(
                f'{split} would be empty: of {len(images)} images '
                f'{len(images) - len(hashes)} are broken and {len(dropped)} '
                f'are dropped copies, and {_told(shares)} (each folder is '
                'divided by itself). Give other shares, or more images'
            )
    return Division(splits, copies, dropped)


def _told(shares: Ratios) -> str:
    return '; '.join(
        f'{part or "the download"} is divided '
        + ', '.join(f'{share:.0%} {split}' for split, share in of.items())
        for part, of in shares.items()
    )
