"""Policies that decide once, judged on recorded outcomes: no model is asked."""
