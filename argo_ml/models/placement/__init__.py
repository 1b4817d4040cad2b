"""Where a model's weights go, and how large a batch may be: pure functions."""
