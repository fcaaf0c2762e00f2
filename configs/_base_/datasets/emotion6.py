"""Emotion6 for classification. Not run by itself."""

_base_ = './emotion_224.py'

num_classes = 6
data_preprocessor = dict(num_classes=6)
benchmark = dict(type='Emotion6', data_root='data/Emotion6')
train_dataloader = dict(dataset=benchmark)
val_dataloader = dict(dataset=benchmark)
test_dataloader = dict(dataset=benchmark)
