"""Calibration: one split explored to learn when retrieval pays."""
