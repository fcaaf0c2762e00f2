"""Runs a classifier over images, a batch at a time."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

from mmpretrain import ImageClassificationInferencer
from mmpretrain.structures import DataSample
from tqdm import tqdm

from uniemox_mm.datasets import BadSampleError
from uniemox_mm.datasets.image_sources import (
    Source,
    is_one_image,
    list_sources,
)

# More images than this get a progress bar.
_FEW = 100


class StreamingInferencer(ImageClassificationInferencer):
    """MMPretrain's inferencer, which answers as soon as a batch is done.

    :meth:`visualize` and :meth:`postprocess` are called for each batch, so
    that no image or picture has to be kept until the last one.
    """

    classes: tuple[str, ...]

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 32,
        on_error: str | None = None,
        **kwargs,
    ) -> list[dict] | list[DataSample]:
        """Finds the emotions of images.

        Args:
            inputs (str | Path | np.ndarray | Image | list): An image: a path,
                an array as MMCV reads it (uint8, BGR, (H, W), (H, W, 1),
                (H, W, 3) or (H, W, 4)), or a Pillow image; a folder, of which
                all images are taken, sorted, with all that is below it; or a
                list of any of these.
            return_datasamples (bool): Whether to return MMPretrain's
                ``DataSample`` for each image. Defaults to False.
            batch_size (int): Images at a time. Defaults to 32.
            on_error (str, optional): 'raise' stops at the first image that
                cannot be used, 'report' says so in its result. Defaults to
                'raise' where ``inputs`` is one image, and to 'report' for
                lists and folders.
            return_person (bool): Whether to find people. Defaults to False.
            persons (Sequence, optional): Known boxes instead of a detector:
                for each image rows of x1, y1, x2, y2, score in its pixels.
            return_features (bool): Whether to return what the backbone gives,
                averaged over the image. Defaults to False.
            **kwargs: ``show_dir`` and the other arguments on drawing of
                MMPretrain's inferencer.

        Returns:
            list[dict]: For each image ``path`` (None for arrays),
            ``pred_class``, ``pred_label`` (its number), ``pred_score``,
            ``pred_scores`` ((K,) float32), ``scores`` (class name -> score);
            where asked for ``persons`` ((M, 5) float32: x1, y1, x2, y2 in
            pixels of the upright image, score; best first) and ``features``
            ((C,) float32). ``error`` is there where anything that was asked
            for is not; it names the image.

        Raises:
            BadSampleError: An image cannot be used, by ``on_error``.
            ValueError: An argument is unknown or cannot be.
        """
        return list(
            self.iterate(
                inputs, return_datasamples, batch_size, on_error, **kwargs
            )
        )

    def iterate(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 32,
        on_error: str | None = None,
        **kwargs,
    ) -> Iterator[Any]:
        """Finds the emotions of images, one result after the other.

        Args:
            inputs (str | Path | np.ndarray | Image | list): As of
                :meth:`__call__`, and so are the others.
            return_datasamples (bool): Defaults to False.
            batch_size (int): Defaults to 32.
            on_error (str, optional): Defaults to None.
            **kwargs: The others of :meth:`__call__`.

        Returns:
            Iterator[dict | DataSample]: What :meth:`__call__` returns, each
            as soon as its batch is done.

        Raises:
            BadSampleError: An image cannot be used, by ``on_error``; when
                its turn comes.
            ValueError: An argument is unknown or cannot be; at once.
        """
        if on_error not in (None, 'raise', 'report'):
            raise ValueError(
                f"on_error must be 'raise' or 'report', but is {on_error!r}"
            )
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise ValueError(
                'batch_size must be a whole number of images, at least 1, '
                f'but is {batch_size!r}'
            )
        settings = self._dispatch_kwargs(**kwargs)
        sources = self._inputs_to_list(inputs)
        raising = on_error == 'raise'
        if on_error is None:
            raising = is_one_image(inputs, sources)
        batches = self.preprocess(sources, int(batch_size), **settings[0])
        return self._answers(
            sources, batches, raising, return_datasamples, *settings[1:]
        )

    def _answers(
        self,
        sources: list[Source],
        batches: Iterator[list[dict]],
        raising: bool,
        return_datasamples: bool,
        for_model: dict,
        for_drawing: dict,
        for_results: dict,
    ) -> Iterator[Any]:
        rest = iter(sources)
        with tqdm(
            desc='emotions',
            unit='img',
            total=len(sources),
            disable=len(sources) <= _FEW,
        ) as bar:
            for batch in batches:
                samples = self.forward(batch, **for_model)
                for sample in samples:
                    if raising and 'error' in sample:
                        raise BadSampleError(sample.error)
                drawn = self.visualize(
                    [next(rest) for _ in batch], samples, **for_drawing
                )
                bar.update(len(batch))
                yield from self.postprocess(
                    samples, drawn, return_datasamples, **for_results
                )

    def _inputs_to_list(self, inputs: Any) -> list[Source]:
        return list_sources(inputs)
