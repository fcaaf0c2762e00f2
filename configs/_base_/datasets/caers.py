"""CAER-S for classification. Not run by itself."""

_base_ = './emotion_224.py'

num_classes = 7
data_preprocessor = dict(num_classes=7)
benchmark = dict(type='CAERS', data_root='data/CAER-S')
train_dataloader = dict(dataset=benchmark)
val_dataloader = dict(dataset=benchmark)
test_dataloader = dict(dataset=benchmark)
