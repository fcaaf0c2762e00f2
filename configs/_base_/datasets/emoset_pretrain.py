"""EmoSet's train and val splits as scene, person and caption, at 224.

Not run by itself.
"""

train_pipeline = [
    dict(type='LoadEmotionImage'),
    dict(
        type='SceneAndPerson',
        scene=[
            dict(
                type='FastRandomResizedCrop',
                scale=224,
                crop_ratio_range=(0.2, 1.0),
                backend='torch',
                interpolation='bicubic',
            ),
            dict(type='RandomFlip', prob=0.5),
        ],
        person=[
            dict(type='PersonCrop', policy='largest', margin=0.0),
            dict(
                type='FastResize',
                scale=(224, 224),
                backend='torch',
                interpolation='bicubic',
            ),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(
        type='PackInputs',
        algorithm_keys=('caption', 'text_feature', 'image_feature'),
    ),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='EmoSet',
        data_root='data/EmoSet-118K',
        split=['train', 'val'],
        caption=dict(emotion=True),
        persons=None,
        on_bad_sample='error',
        pipeline=train_pipeline,
    ),
)
