"""Build a frozen CLIP of open_clip, from weights in any format."""

import logging
from pathlib import Path

import open_clip
import torch
from torch import nn

from uniemox_mm.weights.safe_unpickling import is_torchscript, read_torchscript


def build_clip(
    name: str,
    pretrained: str | None,
    model_cfg: dict,
    seed: int = 0,
    cache_dir: str | None = None,
) -> nn.Module:
    """Build a CLIP model in eval mode, without gradients.

    Args:
        name (str): An open_clip model name.
        pretrained (str, optional): A pretrained tag of open_clip, or the
            path of a local file: weights, or OpenAI's own TorchScript
            archive. None gives random weights.
        model_cfg (dict): Replaces entries of open_clip's model config.
        seed (int): Seed of random weights; torch's generator stays as it
            was. Defaults to 0.
        cache_dir (str, optional): Where open_clip keeps its downloads.

    Returns:
        nn.Module: The open_clip model.

    Raises:
        RuntimeError: The weights are neither a tag that can be downloaded
            nor a readable file.
    """
    root = logging.getLogger()
    level = root.level
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        # open_clip warns of random weights, on the root logger.
        root.setLevel(logging.ERROR)
        try:
            archive = is_torchscript(pretrained)
            clip = open_clip.create_model(
                name,
                pretrained=None if archive else pretrained,
                device=torch.get_default_device(),
                cache_dir=cache_dir,
                **model_cfg,
            )
            if archive:
                clip.load_state_dict(read_torchscript(str(pretrained)))
        except Exception as error:
            if pretrained is None:
                raise
            raise RuntimeError(_hint(name, pretrained, error)) from error
        finally:
            root.setLevel(level)
    return clip.eval().requires_grad_(False)


def _hint(name: str, pretrained: str, error: Exception) -> str:
    tags = open_clip.list_pretrained_tags_by_model(name)
    local = Path(pretrained).exists()
    kind = 'a local file' if local else 'no file, so taken for a tag'
    return (
        f'CLIPTeacher could not load {pretrained!r} ({kind}) into '
        f'{name}: {error}. Expected one of the tags {tags}, which are '
        'downloaded, or the path of a weight file of this architecture; '
        'without internet, download the file elsewhere and give its path '
        "(OpenAI's weights need a '-quickgelu' model)"
    )
