"""Images that the page offers to those who have none at hand."""

from pathlib import Path

import numpy as np

from uniemox_mm.datasets.image_lists import list_images


def choose_examples(folder: str | Path, count: int = 8) -> list[Path]:
    """Images evenly spread over a folder, with all that is below it.

    Args:
        folder (str | Path): The folder.
        count (int): How many, or fewer where it has no more. Defaults to 8,
            which of a folder for each emotion takes one of each.

    Returns:
        list[Path]: The images, sorted.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no images.
    """
    images = list_images([folder])
    places = np.arange(min(count, len(images.names))) * len(images.names)
    return [
        images.root / images.names[place]
        for place in places // min(count, len(images.names))
    ]
