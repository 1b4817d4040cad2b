"""Sweeps, cells, metrics and verification."""
