"""Measurements of speed and cost; never part of the test command."""
