"""Conformance suites: one per contract, inherited by every implementation's test."""
