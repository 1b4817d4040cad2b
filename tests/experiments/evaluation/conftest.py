from __future__ import annotations

from hypothesis import settings

# Machines differ in speed, and shared ones stall.
settings.register_profile("unhurried", deadline=None, derandomize=True)
settings.load_profile("unhurried")
