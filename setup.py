from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version: dict[str, str] = {}
exec((here / 'uniemox_mm' / 'version.py').read_text(), version)

export = [
    'onnx>=1.17',
    'onnxscript>=0.5',
    'onnxruntime>=1.20',
]
# What the page is tested with: its options change from version to version.
page = ['gradio>=6.31,<7']
pictures = [
    'grad-cam>=1.5,<2',
    'umap-learn>=0.5.7',
]
logging = ['tensorboard>=2.18']

setup(
    name='uniemox_mm',
    version=version['__version__'],
    description='UniEmoX, visual emotion pretraining, as a plugin of '
    'MMPretrain',
    long_description=(here / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    packages=find_packages(include=['uniemox_mm', 'uniemox_mm.*']),
    package_data={'uniemox_mm': ['py.typed']},
    python_requires='>=3.10',
    install_requires=[
        'torch>=2.5',
        'torchvision>=0.20',
        'open_clip_torch>=3.0,<4',
        'timm>=1.0',
        'safetensors>=0.4',
        'numpy>=1.24',
        'pillow>=10.0',
        'matplotlib>=3.7',
        'scikit-learn>=1.3',
        'lmdb>=1.4',
        'tqdm>=4.60',
    ],
    # The two sets share their import names and overwrite each other, so
    # neither may come in unasked.
    extras_require={
        'mm': [
            'onedl-mmengine>=0.10.12,<0.11',
            'onedl-mmcv>=2.3.6,<2.4',
            'onedl-mmpretrain>=1.3.6,<1.4',
            'onedl-mmdetection>=3.5.1,<3.6',
            # MMPretrain resizes Swin's tables by what 1.14 removed.
            'scipy>=1.10,<1.14',
        ],
        'openmmlab': [
            'mmengine>=0.10.4,<1.0',
            'mmcv>=2.0.1,<2.3',
            'mmpretrain>=1.2,<2.0',
            'mmdet>=3.3,<4.0',
            'scipy>=1.10,<1.14',
        ],
        # Classifiers to ONNX; onnxruntime is for running them.
        'export': export,
        # MMEngine imports parts that 0.19 no longer has.
        'deepspeed': ['deepspeed>=0.18,<0.19'],
        # tools/demo/app.py
        'page': page,
        # tools/visualization: cam.py, and embed.py with UMAP.
        'pictures': pictures,
        # MMEngine's TensorboardVisBackend and WandbVisBackend.
        'logging': [*logging, 'wandb>=0.19'],
        'dev': [
            *export,
            *logging,
            *page,
            *pictures,
            'mypy>=1.11',
            'psutil>=5.9',  # memory, in tools/benchmark/startup.py
            'pytest>=8.0',
            'pytest-xdist>=3.5',
            'ruff>=0.6',
            'selenium>=4.20',  # the page in a browser
            'xdoctest>=1.1',
        ],
    },
)
