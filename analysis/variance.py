"""Two-way analysis of variance without replicates (Fisher 1925)."""

from typing import NamedTuple


class TwoWay(NamedTuple):
    """Shares of the variance that go with the rows, the columns and neither, and the F of the
    first two."""

    rows: float
    columns: float
    rest: float
    f_rows: float
    f_columns: float


def two_way(values):
    """The analysis of an array (rows, columns) with at least two of each."""
    rows, columns = values.shape
    by_row = columns * ((values.mean(1) - values.mean()) ** 2).sum()
    by_column = rows * ((values.mean(0) - values.mean()) ** 2).sum()
    total = ((values - values.mean()) ** 2).sum()
    rest = total - by_row - by_column
    mean_square = rest / ((rows - 1) * (columns - 1))
    return TwoWay(
        by_row / total, by_column / total, rest / total,
        by_row / (rows - 1) / mean_square, by_column / (columns - 1) / mean_square)
