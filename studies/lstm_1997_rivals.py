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
# Why the chunker's first net does not take over: each row removes a possible cause
CAUSES = {
    "as it is": dict(),
    "outputs with a bias": dict(output_bias=True),
    "second net without direct weights": dict(chunker_direct="none"),
    "first net names the outputs, too": dict(names="state"),
    "names the outputs, outputs with a bias": dict(names="state", output_bias=True),
    "no direct weights, outputs with a bias": dict(chunker_direct="none", output_bias=True),
}
CAUSES_CAP = {4: 20_000, 10: 20_000, 100: 40_000}


def causes(p):
    """The chunker on 2a with a delay of p and 18 trials: {(p, what is changed): settings}."""
    return {(p, name): dict(method="chunker", experiment="2a", p=p, lr=1.0, trials=18,
                            max_sequences=CAUSES_CAP[p]) | choice
            for name, choice in CAUSES.items()}


# The changes that the LSTM had to choose from: error of the outputs, its factor, half and double the
# rate, and the tolerance of its readings: below the bound of the criterion in 2a, 0.3 in the nearest
# reading of the Reber grammar, where an output decides by its order
ERRORS, FACTORS = ("a17", "plain", "flat-spot"), (1.0, 2.0)
TOLERANCES = {"2a": (0.0, 0.2), "1": (0.0, 0.3)}


def changes(rates, tolerances):
    """Every combination: {(error, factor, rate, tolerance): settings}."""
    return {(error, factor, lr, tolerance): dict(
                output_error=error, error_factor=factor, lr=lr, tolerance=tolerance)
            for error in ERRORS for factor in FACTORS for lr in rates for tolerance in tolerances}


SEARCH_SEED, SEARCH_TRIALS = 100, 6  # the search's trials; those of the tables start at 0
SEARCHES = {  # method, experiment, p, hidden units: rates and cap
    ("rtrl", "2a", 4, 1): ((0.5, 1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 20.0), 20_000),
    ("bptt", "2a", 4, 1): ((0.5, 1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 20.0), 20_000),
    ("chunker", "2a", 4, 1): ((0.5, 1.0, 2.0), 20_000),
    ("rtrl", "2a", 10, 1): ((0.5, 1.0, 2.0), 20_000),
    ("bptt", "2a", 10, 1): ((0.5, 1.0, 2.0), 20_000),
    ("chunker", "2a", 10, 1): ((0.5, 1.0, 2.0), 20_000),
    ("rtrl", "2a", 100, 1): ((0.5, 1.0, 2.0), 15_000),
    ("bptt", "2a", 100, 1): ((0.5, 1.0, 2.0), 15_000),
    ("chunker", "2a", 100, 1): ((0.5, 1.0, 2.0), 15_000),
    ("bptt", "1", None, 12): ((0.05, 0.1, 0.2), 30_000),
    ("rtrl", "1", None, 12): ((0.05, 0.1, 0.2), 30_000),
}


def search(method, experiment, p, hidden):
    """Every change with the search's own seeds."""
    rates, cap = SEARCHES[method, experiment, p, hidden]
    shared = dict(
        method=method, experiment=experiment, hidden=hidden, trials=SEARCH_TRIALS,
        seed=SEARCH_SEED, max_sequences=cap) | ({} if p is None else dict(p=p))
    return {label: shared | choice for label, choice in changes(rates, TOLERANCES[experiment]).items()}


# What each search says, for those that have been run (a test compares them): the best of its
# combinations; where none stops a trial, the row's own settings
CHOSEN = {
    ("rtrl", "2a", 4, 1): ("flat-spot", 1.0, 10.0, 0.2),
    ("bptt", "2a", 4, 1): ("flat-spot", 1.0, 8.0, 0.2),
    ("chunker", "2a", 4, 1): ("flat-spot", 2.0, 2.0, 0.2),
    ("rtrl", "2a", 10, 1): ("a17", 1.0, 1.0, 0.0),
    ("bptt", "2a", 10, 1): ("a17", 1.0, 1.0, 0.0),
    ("chunker", "2a", 10, 1): ("a17", 1.0, 1.0, 0.0),
    ("rtrl", "2a", 100, 1): ("a17", 1.0, 1.0, 0.0),
    ("bptt", "2a", 100, 1): ("a17", 1.0, 1.0, 0.0),
    ("chunker", "2a", 100, 1): ("a17", 1.0, 1.0, 0.0),
    ("bptt", "1", None, 12): ("a17", 2.0, 0.2, 0.0),
    ("rtrl", "1", None, 12): ("a17", 1.0, 0.2, 0.0),
}
OWN_CAPS = {4: 5_000_000, 10: 1_000_000, 100: 300_000, None: 100_000}  # by delay; None: the Reber grammar
CHUNKER_CAP = 200_000


def tuned():
    """The chosen combinations with the trials of the tables."""
    found = {}
    for row, (error, factor, lr, tolerance) in CHOSEN.items():
        method, experiment, p, hidden = row
        found[row] = dict(
            method=method, experiment=experiment, hidden=hidden, lr=lr, output_error=error,
            error_factor=factor, tolerance=tolerance, trials=30 if experiment == "1" else 18,
            max_sequences=CHUNKER_CAP if method == "chunker" else OWN_CAPS[p])
        found[row] |= {} if p is None else dict(p=p)
    return found


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


def study(name, shows, grid, minutes, experiment="lstm_1997_rivals", keep=None):
    return Study(name, shows, experiment, grid, None, minutes, keep=keep)


SEARCH_MINUTES = {  # of one core, by method, experiment and p
    ("rtrl", "2a", 4): 6, ("bptt", "2a", 4): 6, ("chunker", "2a", 4): 6, ("rtrl", "2a", 10): 8,
    ("bptt", "2a", 10): 8, ("chunker", "2a", 10): 8, ("rtrl", "2a", 100): 13, ("bptt", "2a", 100): 18,
    ("chunker", "2a", 100): 15, ("bptt", "1", None): 15, ("rtrl", "1", None): 48}


def search_name(method, experiment, p):
    """The study of a row's search."""
    return f"rivals-search-{method}-{'reber' if experiment == '1' else p}"


def searches():
    for row in SEARCHES:
        method, experiment, p, _ = row
        where = "the Reber grammar" if p is None else f"2a with p = {p}"
        yield study(search_name(method, experiment, p),
                    f"every change that the LSTM had to choose from, for {method} on {where}", search(*row),
                    SEARCH_MINUTES[method, experiment, p], keep=())


STUDIES = [
    study("rivals-reber", "RTRL, BPTT and Elman nets on the embedded Reber grammar, Table 1",
          REBER, 72),
    study("rivals-lag-4", "RTRL and Elman nets on 2a with p = 4", LAG_4, 64),
    study("rivals-lag-10", "RTRL on 2a with p = 10", lag("rtrl", 10), 25),
    study("rivals-lag-100", "RTRL on 2a with p = 100", lag("rtrl", 100), 95),
    study("rivals-lag-100-bptt", "BPTT on 2a with p = 100", lag("bptt", 100), 95),
    study("rivals-chunker", "the neural sequence chunker on 2a with p = 100", CHUNKER, 60),
    study("rivals-chunker-causes", "why the chunker's first net does not take over: causes removed, p = 4 and 10",
          causes(4) | causes(10), 8),
    study("rivals-chunker-causes-100", "the same with p = 100", causes(100), 40),
    *searches(),
    study("rivals-tuned", "the rivals with the changes that their searches chose", tuned(), 20),
    study("cascade-correlation", "recurrent cascade-correlation on the Reber grammar and 2a",
          CASCADE_CORRELATION, 14, "cascade_correlation"),
    study("weight-guessing", "random weight guessing on 3a and parity",
          WEIGHT_GUESSING, 30, "weight_guessing"),
]
