from .clip_similarity_distill_loss import CLIPSimilarityDistillLoss

__all__ = ['CLIPSimilarityDistillLoss']
