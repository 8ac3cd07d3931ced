"""Science on records: what trained nets do, and what a grid of runs says. A module for each
question; tables and pictures call it, tests/test_analysis.py checks it."""
