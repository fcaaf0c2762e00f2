"""Figures of models on images, and of training runs."""

from .grad_cam import GradCam, draw_grad_cam, grad_cam, overlay
from .reconstructions import draw_reconstructions, reconstruct_images

__all__ = [
    'GradCam',
    'draw_grad_cam',
    'draw_reconstructions',
    'grad_cam',
    'overlay',
    'reconstruct_images',
]
