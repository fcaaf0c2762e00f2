"""What the JSON of an export may build: a list of names, and plain values.

MMEngine imports whatever a ``type`` or a ``_scope_`` names, and some classes
run or download what an argument names. So nothing is let through that is not
written here, and none of these arguments names code, a file or an address.
"""

from collections.abc import Mapping
from typing import Any

# Only training reads them, or what is there before weights are loaded, so
# they are left out whatever they hold.
_DROPPED = {'train_cfg', 'batch_augments', 'loss', 'init_cfg'}
# As configs have it whose base is one of MMPretrain's own.
_OWN_SCOPE = 'mmpretrain'
# The classes compare these with names of their own, and look nothing up.
_TEXTS = {'arch', 'out_type', 'style', 'interpolate_mode', 'bias'}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TRANSFORMER = _names(
    'arch img_size patch_size in_channels out_indices drop_rate '
    'drop_path_rate norm_cfg frozen_stages'
)
_VIT = _TRANSFORMER | _names(
    'final_norm out_type with_cls_token interpolate_mode '
    'layer_scale_init_value patch_cfg layer_cfgs'
)
_CONVOLUTIONS = _names(
    'depth num_stages dilations out_indices frozen_stages conv_cfg norm_cfg '
    'norm_eval'
)
_PIXELS = _names(
    'mean std pad_size_divisor pad_value to_rgb to_onehot num_classes'
)
_HEAD = _names('topk cal_acc')

# Argument -> type of what it may hold -> arguments of that. None is for dicts
# without a type. No argument is below itself, so the depth has an end.
ALLOWED: Mapping[str, Mapping[str | None, frozenset[str]]] = dict(
    model={'ImageClassifier': _names('backbone neck head data_preprocessor')},
    data_preprocessor={'ClsDataPreprocessor': _PIXELS, None: _PIXELS},
    backbone=dict(
        VisionTransformer=_VIT | _names('qkv_bias pre_norm'),
        BEiTViT=_VIT
        | _names(
            'bias use_abs_pos_emb use_rel_pos_bias use_shared_rel_pos_bias'
        ),
        SwinTransformer=_TRANSFORMER
        | _names(
            'window_size out_after_downsample use_abs_pos_embed '
            'interpolate_mode with_cp norm_eval pad_small_map'
        ),
        MixMIMTransformer=_names(
            'arch mlp_ratio img_size patch_size in_channels window_size '
            'qkv_bias norm_cfg drop_rate drop_path_rate attn_drop_rate '
            'use_checkpoint'
        ),
        ResNet=_CONVOLUTIONS
        | _names(
            'in_channels stem_channels base_channels expansion strides style '
            'deep_stem avg_down with_cp zero_init_residual drop_path_rate'
        ),
        DenseNet=_names(
            'arch in_channels bn_size drop_rate compression_factor '
            'memory_efficient norm_cfg act_cfg out_indices frozen_stages'
        ),
        VGG=_CONVOLUTIONS
        | _names('num_classes act_cfg ceil_mode with_last_pool'),
    ),
    neck=dict(
        GlobalAveragePooling=_names('dim'),
        ClsBatchNormNeck=_names('input_features affine eps'),
    ),
    head=dict(
        ClsHead=_HEAD,
        LinearClsHead=_HEAD | _names('num_classes in_channels'),
        VisionTransformerClsHead=_HEAD
        | _names('num_classes in_channels hidden_dim act_cfg'),
    ),
    arch={
        None: _names(
            'embed_dims num_layers num_heads feedforward_channels depths '
            'growth_rate init_channels'
        )
    },
    patch_cfg={None: _names('bias')},
    layer_cfgs={None: _names('act_cfg norm_cfg')},
    conv_cfg=dict(Conv2d=_names('')),
    norm_cfg=dict(
        LN=_names('eps'),
        BN=_names('eps momentum requires_grad'),
        SyncBN=_names('eps momentum requires_grad'),
    ),
    act_cfg=dict.fromkeys(
        ('GELU', 'QuickGELU', 'ReLU', 'Tanh'), _names('inplace')
    ),
)


def allowed_part(part: Any, slot: str, place: str = 'config') -> dict:
    """A part of a config without what only training needs, checked.

    Args:
        part (object): The part, from JSON.
        slot (str): The argument that it is for, such as ``model``.
        place (str): Where the argument is, for messages.

    Returns:
        dict: Of :data:`ALLOWED` types and arguments only.

    Raises:
        ValueError: It is anything else; the message says what and where.
    """
    place = f'{place}.{slot}'
    if not isinstance(part, dict):
        raise ValueError(f'{place} is {part!r}; expected a dict')
    known, kind = ALLOWED[slot], part.get('type')
    if not isinstance(kind, str | None) or kind not in known:
        raise ValueError(_refusal(f'{place}.type = {kind!r}'))
    kept = {}
    for key, value in part.items():
        if key in _DROPPED or (key, value) == ('_scope_', _OWN_SCOPE):
            continue
        if key != 'type' and key not in known[kind]:
            raise ValueError(_refusal(f'{place}.{key}'))
        kept[key] = value if key == 'type' else _argument(value, key, place)
    return kept


def _argument(value: Any, key: str, place: str) -> Any:
    if isinstance(value, list):
        return [_item(item, key, place) for item in value]
    return _item(value, key, place)


def _item(value: Any, key: str, place: str) -> Any:
    if isinstance(value, dict) and key in ALLOWED:
        return allowed_part(value, key, place)
    fits = isinstance(value, int | float | None)
    if not fits and not (isinstance(value, str) and key in _TEXTS):
        raise ValueError(_refusal(f'{place}.{key} = {value!r}'))
    return value


def _refusal(what: str) -> str:
    return (
        f'{what} is not among what an export may ask for, so nothing was '
        'built; give the config instead, which is code and trusted '
        '(config=..., --config ...)'
    )
