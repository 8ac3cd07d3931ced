"""Science on records: what trained nets do, and what a grid of runs says. A module for each
question; tables and pictures call it, tests/test_analysis.py checks it."""


def claim(holds, sentence):
    """The sentence, which is written only while the numbers bear it out. Raises ValueError."""
    if not holds:
        raise ValueError(f"results.json no longer bears out: {sentence}")
    return sentence
