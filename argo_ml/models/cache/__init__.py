"""Model calls kept for good."""
