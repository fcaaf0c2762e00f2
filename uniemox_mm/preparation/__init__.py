"""A download made into what training reads: EmoSet, splits, person boxes."""
