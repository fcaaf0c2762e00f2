"""Split images into training, validation and test."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from .class_folders import LabelledImage

# Shipped part ('' where a download is not split) -> split -> its ratio.
Ratios = Mapping[str, Mapping[str, float]]
SPLITS = ('train', 'val', 'test')


def split_images(
    images: Sequence[LabelledImage], ratios: Ratios, seed: int
) -> dict[str, list[LabelledImage]]:
    """Split images at random, each group by the same ratios.

    Args:
        images (Sequence[LabelledImage]): All images. Their order matters.
        ratios (Ratios): Part -> split -> ratio, adding up to 1 for each part.
        seed (int): The same seed gives the same splits.

    Returns:
        dict[str, list[LabelledImage]]: The images of 'train', 'val' and
        'test', in the given order. In each group the size of a split is its
        exact ratio, rounded up or down; over a class of many small groups
        the rounding adds up.

    Raises:
        ValueError: The ratios of a part do not add up to 1.
    """
    for part, of_part in ratios.items():
        if abs(sum(of_part.values()) - 1) > 1e-9:
            raise ValueError(
                f'the ratios of {part or "all images"} are {dict(of_part)}; '
                'expected them to add up to 1'
            )
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, image in enumerate(images):
        groups[image.part, image.group].append(i)
    rng = np.random.default_rng(seed)
    chosen: dict[str, list[int]] = {split: [] for split in SPLITS}
    for (part, _), members in sorted(groups.items()):
        shuffled = rng.permutation(members).tolist()
        start = 0
        for split, count in apportion(len(members), ratios[part]).items():
            chosen[split] += shuffled[start : start + count]
            start += count
    return {
        split: [images[i] for i in sorted(indices)]
        for split, indices in chosen.items()
    }


def apportion(count: int, ratios: Mapping[str, float]) -> dict[str, int]:
    """Split a number by ratios, which add up to 1, into whole numbers.

    Largest remainders are rounded up, of equal ones that of the larger ratio.
    """
    exact = {name: count * ratio for name, ratio in ratios.items()}
    # 0.7 x 90 is a little less than 63 in floating point.
    whole = {name: int(value + 1e-9) for name, value in exact.items()}
    by_remainder = sorted(
        ratios,
        key=lambda name: (round(exact[name] - whole[name], 9), ratios[name]),
        reverse=True,
    )
    for name in by_remainder[: count - sum(whole.values())]:
        whole[name] += 1
    return whole
