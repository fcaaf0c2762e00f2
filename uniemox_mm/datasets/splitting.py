"""Divides images into training, validation and test."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from .class_folders import LabelledImage

# Of each shipped part, '' where a download is not split: split -> its share.
Shares = Mapping[str, Mapping[str, float]]
SPLITS = ('train', 'val', 'test')


def split_images(
    images: Sequence[LabelledImage], shares: Shares, seed: int
) -> dict[str, list[LabelledImage]]:
    """Divides images at random, each stratum by the same shares.

    Args:
        images (Sequence[LabelledImage]): What to divide. Their order
            matters.
        shares (Shares): Part -> split -> share; a part's shares add up to 1.
        seed (int): The same seed gives the same splits.

    Returns:
        dict[str, list[LabelledImage]]: The images of 'train', 'val' and
        'test', in the given order. In each stratum the size of a split is
        its exact share, rounded up or down; over a class of many small
        strata the rounding adds up.

    Raises:
        ValueError: The shares of a part do not add up to 1.
    """
    for part, of_part in shares.items():
        if abs(sum(of_part.values()) - 1) > 1e-9:
            raise ValueError(
                f'the shares of {part or "all images"} are {dict(of_part)}; '
                'expected them to add up to 1'
            )
    strata: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, image in enumerate(images):
        strata[image.part, image.stratum].append(i)
    rng = np.random.default_rng(seed)
    chosen: dict[str, list[int]] = {split: [] for split in SPLITS}
    for (part, _), members in sorted(strata.items()):
        shuffled = rng.permutation(members).tolist()
        start = 0
        for split, count in apportion(len(members), shares[part]).items():
            chosen[split] += shuffled[start : start + count]
            start += count
    return {
        split: [images[i] for i in sorted(indices)]
        for split, indices in chosen.items()
    }


def apportion(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Divides a number by shares into whole numbers.

    Largest remainders are rounded up, of equal ones that of the larger share.

    Args:
        count (int): What to divide.
        shares (Mapping[str, float]): Name -> share, adding up to 1.

    Returns:
        dict[str, int]: Name -> number, within 1 of the exact share.
    """
    exact = {name: count * share for name, share in shares.items()}
    # 0.7 x 90 is a little less than 63 in floating point.
    whole = {name: int(value + 1e-9) for name, value in exact.items()}
    by_remainder = sorted(
        shares,
        key=lambda name: (round(exact[name] - whole[name], 9), shares[name]),
        reverse=True,
    )
    for name in by_remainder[: count - sum(whole.values())]:
        whole[name] += 1
    return whole
