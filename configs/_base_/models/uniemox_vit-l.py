"""UniEmoX with ViT-L/16, the paper's. Not run by itself.

Multiply-adds of one 224 image, 75 % masked: scene encoder and decoder 20.8 G,
person encoder 15.4 G; teacher, image 17.6 G and text 2.9 G.
"""

mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]

model = dict(
    type='EmoMAE',
    data_preprocessor=dict(
        type='PairDataPreprocessor',
        mean=mean,
        std=std,
        to_rgb=True,
        non_blocking=True,
    ),
    backbone=dict(
        type='DualStreamViT',
        arch='l',
        img_size=224,
        patch_size=16,
        mask_ratio=0.75,
    ),
    neck=dict(
        type='EmoMAEDecoder',
        num_patches=196,
        patch_size=16,
        embed_dim=1024,
        decoder_embed_dim=512,
        decoder_depth=8,
        decoder_num_heads=16,
    ),
    # L1; norm_pix=False is the paper's "original pixel value".
    head=dict(
        type='MAEPretrainHead',
        norm_pix=False,
        patch_size=16,
        loss=dict(type='PixelReconstructionLoss', criterion='L2'),
    ),
    fusion=dict(type='AdditionFusion', in_channels=512),
    target_generator=dict(
        type='CLIPTeacher',
        model='ViT-B-16-quickgelu',
        pretrained='openai',
        mean=mean,
        std=std,
    ),
    # L2 and L3
    distill=dict(
        type='CLIPSimilarityDistillLoss',
        similarity_weight=1.0,
        feature_weight=1.0,
        gather=True,
    ),
    init_cfg=[
        dict(type='Xavier', layer='Linear', distribution='uniform'),
        dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
    ],
)
