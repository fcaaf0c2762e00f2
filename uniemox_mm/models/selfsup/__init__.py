from .emo_mae import EmoMAE

__all__ = ['EmoMAE']
