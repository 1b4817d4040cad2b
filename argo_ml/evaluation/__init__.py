"""How retrieval gates are judged: their confidence, their frontiers and their effects."""
