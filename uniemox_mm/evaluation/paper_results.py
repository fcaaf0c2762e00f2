"""Table III of the paper: what others and UniEmoX reach on six datasets."""

DATASETS = ('ube', 'fi', 'emotion6', 'emo8', 'caers', 'heco')

# In the order of the table.
_TOP1: dict[str, tuple[float | None, ...]] = {
    'Scratch, ViT': (31.89, 37.44, 32.09, 31.89, 22.01, 31.57),
    # Supervised on ImageNet.
    'VGG-16': (59.58, 59.84, 57.46, 58.67, 14.29, 38.09),
    'ResNet-50': (60.78, 57.00, 56.97, 57.00, 76.05, 39.21),
    'DenseNet-121': (60.33, 60.24, 58.21, 55.44, 77.49, 40.02),
    'ViT, supervised': (38.47, 53.82, 63.68, 54.89, 77.17, 34.62),
    # Self-supervised.
    'MoCov3': (61.08, 39.19, 61.44, 57.56, 39.70, 44.71),
    'DINO': (67.67, 65.89, 59.20, 64.56, 54.25, 37.98),
    'BEiT': (35.30, 28.10, 31.80, 28.90, 15.90, 29.10),
    'MAE': (35.92, 59.07, 41.29, 77.89, 21.56, 33.60),
    'SimMIM': (82.78, 67.18, 58.71, 73.33, 84.09, 45.83),
    'TinyMIM': (83.38, 71.49, 60.95, 77.67, 86.75, 47.15),
    'SiameseIM': (83.83, 70.63, 65.67, 80.00, 88.20, 46.74),
    'MixMAE': (83.83, 69.99, 62.69, 73.67, 83.12, 48.37),
    'dBOT': (84.43, 71.25, 60.70, 79.22, 88.55, 47.86),
    'CAE': (82.93, 68.19, 64.18, 80.78, 90.78, 45.32),
    # Made for the recognition of emotions.
    'SOLVER': (None, 72.33, 62.12, None, None, None),
    'Stimuli-aware': (None, 72.42, 61.62, None, None, None),
    'MDAN': (None, None, 61.66, None, None, None),
    'EAP': (81.77, None, None, None, None, None),
    'RRLA': (None, None, None, None, 84.82, None),
    'EmotiCon + CCIM': (None, None, None, None, 91.17, None),
    'UniEmoX': (84.43, 69.33, 65.67, 81.33, 92.09, 47.25),
}

PAPER_RESULTS: dict[str, dict[str, float | None]] = {
    method: dict(zip(DATASETS, row, strict=True))
    for method, row in _TOP1.items()
}
"""Method -> dataset, as in ``NAMED_DATASETS`` -> top-1 in percent.

Nothing here was measured by this project: these are the paper's numbers,
copied from Table III of `UniEmoX <https://arxiv.org/abs/2409.18877>`_ as they
are printed. Those of other methods are the authors' runs of them, but for the
last six before UniEmoX, which are quoted. The paper leaves out what those did
not report, which is None: of SOLVER and Stimuli-aware all but FI and Emotion6,
of MDAN all but Emotion6, of EAP all but UBE, of RRLA and EmotiCon + CCIM all
but CAER-S. EmoSet is not in the table.

The table calls UniEmoX 0.6 better than the second on UBE and 1.49 on
Emotion6. By its own numbers dBOT and SiameseIM are as good there.
"""
