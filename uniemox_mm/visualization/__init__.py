"""Pictures of what models make of images, and of how they were trained."""

from .activation_maps import ActivationMaps, activation_maps
from .cam_sheet import overlay
from .reconstructions import draw_reconstructions

__all__ = [
    'ActivationMaps',
    'activation_maps',
    'draw_reconstructions',
    'overlay',
]
