"""Apply a test pipeline to images of any source."""

from collections.abc import Callable

from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample

from .errors import BadSampleError
from .image_sources import Source, SourceReader


class InferencePipeline:
    """A test pipeline that reads any source and reports broken images.

    Args:
        load (Callable): The pipeline's first transform, which reads files.
        transforms (Callable): The rest of it, from ``img`` (H, W, 3) uint8
            BGR to ``inputs`` and ``data_samples``.
    """

    def __init__(
        self,
        load: Callable[[dict], dict],
        transforms: Callable[[dict], dict],
    ) -> None:
        self.read = SourceReader(load)
        self.transforms = transforms

    @classmethod
    def from_config(cls, pipeline: list[dict]) -> 'InferencePipeline':
        """Build the pipeline of a config.

        Raises:
            ValueError: It does not begin with reading a file.
        """
        transforms = [TRANSFORMS.build(settings) for settings in pipeline]
        if not transforms or not isinstance(transforms[0], LoadImageFromFile):
            raise ValueError(
                'expected a test pipeline that begins with LoadEmotionImage '
                'or LoadImageFromFile, but got '
                f'{[settings.get("type") for settings in pipeline]}'
            )
        return cls(transforms[0], Compose(transforms[1:]))

    def __call__(self, source: Source) -> dict:
        """Read and transform an image.

        Args:
            source (Source): The image.

        Returns:
            dict: ``data_samples`` with ``name``, ``img_path`` and, if the
            image is broken, ``error``. Otherwise ``inputs``, and ``loaded``,
            the results of :class:`SourceReader` before the transforms.
        """
        try:
            loaded = self.read(source)
            item = dict(self._transform(source, loaded), loaded=loaded)
        except BadSampleError as error:
            broken = DataSample(metainfo=dict(error=str(error)))
            item = dict(data_samples=broken)
        known = dict(name=source.name, img_path=source.path)
        item['data_samples'].set_metainfo(known)
        return item

    def _transform(self, source: Source, loaded: dict) -> dict:
        try:
            return self.transforms(dict(loaded))
        except Exception as error:  # transforms raise what they like
            height, width = loaded['ori_shape']
            raise BadSampleError(
                f'{source.name}: an image of {width} x {height} pixels cannot '
                f'be preprocessed ({type(error).__name__}: {error})'
            ) from error
