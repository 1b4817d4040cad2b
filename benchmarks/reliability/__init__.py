"""Faults put into everything that is stored, one kind a module, and what came of each."""
