"""The decision process, its exact solution, and what thresholds are worth in it."""
