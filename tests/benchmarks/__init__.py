"""Figures: what the language and the engine cost, as ratios against a baseline in the same run."""
