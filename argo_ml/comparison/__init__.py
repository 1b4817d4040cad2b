"""The same sweep for several models."""
