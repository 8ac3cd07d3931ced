"""The runs behind docs/lstm_1997_rivals.md: what the paper compares the LSTM with.

A record holds all trials of a row.
"""

from studies import Study

RATES = (1.0, 4.0, 10.0)


def lag(method, p):
    """Table 2: 2a with a delay of p, a row for each rate."""
    return {(method, p, lr): dict(method=method, experiment="2a", p=p, lr=lr) for lr in RATES}


REBER = {  # Table 1; method and hidden units
    ("rtrl", 3): dict(method="rtrl", experiment="1", hidden=3, lr=0.05),
    ("rtrl", 12): dict(method="rtrl", experiment="1", hidden=12, lr=0.1),
    ("elman", 15): dict(method="elman", experiment="1", hidden=15, lr=0.1),
    ("bptt", 12): dict(method="bptt", experiment="1", hidden=12, lr=0.1),
}
LAG_4 = lag("rtrl", 4) | {("elman", 4, 4.0): dict(method="elman", experiment="2a", p=4, lr=4.0)}
CHUNKER = {("chunker", 100, 1.0): dict(method="chunker", experiment="2a", p=100, lr=1.0)}
CASCADE_CORRELATION = {
    "the embedded Reber grammar": dict(experiment="1"),
    "2a with p = 4": dict(experiment="2a", p=4),
    "2a with p = 10": dict(experiment="2a", p=10),
}
WEIGHT_GUESSING = {
    "3a with T = 100, N = 3": dict(experiment="3a", T=100, N=3),
    "3a with T = 100, N = 1": dict(experiment="3a", T=100, N=1),
    "3a with T = 1000, N = 3": dict(experiment="3a", T=1000, N=3),
    "parity with T = 500": dict(experiment="parity", T=500),
}


def study(name, shows, grid, minutes, experiment="lstm_1997_rivals"):
    return Study(name, shows, experiment, grid, None, minutes, keep=None)


STUDIES = [
    study("rivals-reber", "RTRL, BPTT and Elman nets on the embedded Reber grammar, Table 1",
          REBER, 72),
    study("rivals-lag-4", "RTRL and Elman nets on 2a with p = 4", LAG_4, 64),
    study("rivals-lag-10", "RTRL on 2a with p = 10", lag("rtrl", 10), 25),
    study("rivals-lag-100", "RTRL on 2a with p = 100", lag("rtrl", 100), 95),
    study("rivals-lag-100-bptt", "BPTT on 2a with p = 100", lag("bptt", 100), 95),
    study("rivals-chunker", "the neural sequence chunker on 2a with p = 100", CHUNKER, 60),
    study("cascade-correlation", "recurrent cascade-correlation on the Reber grammar and 2a",
          CASCADE_CORRELATION, 14, "cascade_correlation"),
    study("weight-guessing", "random weight guessing on 3a and parity",
          WEIGHT_GUESSING, 30, "weight_guessing"),
]
