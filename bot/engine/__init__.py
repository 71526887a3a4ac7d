"""Observations -> transitions, in pure code: series, truth over a minute, ``step()``, the threshold index."""
