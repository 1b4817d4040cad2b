"""Intervals, resampling, paired tests, confidence measures, frontiers: numbers in, numbers out."""
