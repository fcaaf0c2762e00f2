"""HECO for classification. Not run by itself."""

_base_ = './emotion_224.py'

num_classes = 8
data_preprocessor = dict(num_classes=8)
benchmark = dict(type='HECO', data_root='data/HECO')
train_dataloader = dict(dataset=benchmark)
val_dataloader = dict(dataset=benchmark)
test_dataloader = dict(dataset=benchmark)
