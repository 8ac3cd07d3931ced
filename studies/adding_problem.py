"""The runs behind docs/adding_problem.md."""

import adding_problem as ap
from studies import Study

TEN, FOUR, THREE = range(10), range(4), range(3)
SEARCH_SEEDS, FRESH = range(100, 102), range(10, 20)

HEADLINE = {"LSTM": dict(), "tanh RNN": dict(cell="rnn")}  # as many iterations for both
# The tanh RNN with the seed document's iterations: the same run, stopped while the rate still falls
STOPPED = {"tanh RNN, 5000 iterations": dict(cell="rnn", iters=5000)}

# The same in double precision, where nothing but time is to change
HEADLINE_FLOAT64 = {
    name: settings | dict(dtype="float64") for name, settings in (HEADLINE | STOPPED).items()}

# Does single precision hold the tanh RNN back?
RNN_PRECISIONS = {dtype: dict(cell="rnn", dtype=dtype) for dtype in ("float32", "float64")}

SMOKE = {
    name: dict(T=10, hidden=4, iters=500, cell=cell)
    for name, cell in (("LSTM", "lstm"), ("tanh RNN", "rnn"))}

LAGS = {
    f"{name}, T = {T}": settings | dict(T=T)
    for T in (100, 500, 1000)
    for name, settings in HEADLINE.items()}

GRU = {"GRU": dict(cell="gru")}

CELLS = {
    "LSTM, forget gate": dict(),
    "LSTM of 1997, no forget gate": dict(cell="lstm1997"),
    "tanh RNN, Gaussian": dict(cell="rnn"),
    "tanh RNN, orthogonal": dict(cell="rnn", init="ortho"),
    "IRNN": dict(cell="irnn"),
}

HIDDEN = {f"{H} units": dict(hidden=H) for H in (2, 4, 8, 16, 32)}

STARTS = (0, 2, 3, 5, 8, 9)  # the four lowest and the two highest solve rates of ten seeds in float64
CROSSING = {  # schedule and first weights; the data follow the seed
    (schedule, init_seed): dict(schedule=schedule, init_seed=init_seed)
    for schedule in ("halving", "cosine") for init_seed in STARTS}

_SMALL = dict(batch=8, iters=32_000)
_COSINE = _SMALL | dict(schedule="cosine", lr=0.02)
SEARCH = {
    "the headline's recipe": dict(),
    "cosine": dict(schedule="cosine"),
    "batch 8, halved every 6000": _SMALL | dict(lr_decay_every=6000),
    "batch 8, cosine, rate 0.02": _COSINE,
    "the same, averaged weights": _COSINE | dict(average=0.999),
    "the same, batch 4 growing to 32": _COSINE | dict(batch=4, batch_doublings=3, iters=17_064),
    "the same, W_hh twice as large": _COSINE | dict(init_scale=1.0),
    "the same, W_xh twice as large": _COSINE | dict(input_scale=1.0),
    "the same, clip 0.05": _COSINE | dict(clip=0.05),
    "the same, forget bias 3": _COSINE | dict(forget_bias=3.0),
    "the same, 16 units": _COSINE | dict(hidden=16),
    "the same, 16 units, clip 0.05": _COSINE | dict(hidden=16, clip=0.05),
    "--best: the same, 16 units, clip 0.05, forget bias 3": ap.BEST,
    "--best with 32 units, rate 0.015, clip 0.02": ap.BEST | dict(hidden=32, lr=0.015, clip=0.02),
}
SEARCH = {name: settings | dict(dtype="float64") for name, settings in SEARCH.items()}  # as it was made


# The cell of 1997 at longer lags, its candidate with and without the units and the bias
_SOURCES = dict(cell="lstm1997", batch=8, iters=8000, schedule="cosine", clip=0.05, dtype="float32")
SOURCES_SEARCH = {
    (sources, rate): _SOURCES | dict(T=500, cell_sources=sources, lr=rate)
    for rate in (0.02, 0.01, 0.005, 0.002) for sources in ("all", "inputs")}
SOURCES = {
    sources: _SOURCES | dict(T=500, cell_sources=sources, lr=0.02) for sources in ("inputs", "all")}
SOURCES_1000 = {sources: SOURCES[sources] | dict(T=1000, iters=4000) for sources in SOURCES}


# --------------------------------------------------------------------------------------------------
# Equal budgets, equal search
# --------------------------------------------------------------------------------------------------

FAIR_SEARCH_SEEDS, LONG_SEARCH_SEEDS = range(100, 102), range(100, 103)
# Nets of 8 units and, of the plain ones, with as many weights as the LSTM: 358 to its 361
FAIR_CELLS = {
    "LSTM": dict(),
    "tanh RNN, Gaussian": dict(cell="rnn"),
    "tanh RNN, orthogonal": dict(cell="rnn", init="ortho"),
    "IRNN": dict(cell="irnn"),
    "tanh RNN, Gaussian, 17 units": dict(cell="rnn", hidden=17),
    "tanh RNN, orthogonal, 17 units": dict(cell="rnn", init="ortho", hidden=17),
    "IRNN, 17 units": dict(cell="irnn", hidden=17),
}
FAIR_RATES, FAIR_CLIPS = (0.02, 0.005, 0.001), (1.0, 0.05)


def fair_starts(cell):
    """Two starts to choose from: what is said to matter for a cell, and the headline's value."""
    if cell == "LSTM":
        return [dict(forget_bias=bias) for bias in (1.0, 3.0)]
    if cell.startswith("IRNN"):
        return [dict(input_scale=scale) for scale in (0.01, 0.1)]
    if "orthogonal" in cell:
        return [dict(input_scale=scale) for scale in (0.5, 0.1)]
    return [dict(init_scale=scale) for scale in (0.5, 1.0)]


FAIR_SEARCH = {
    (cell, rate, clip, k): settings | start | dict(lr=rate, clip=clip)
    for cell, settings in FAIR_CELLS.items() for rate in FAIR_RATES for clip in FAIR_CLIPS
    for k, start in enumerate(fair_starts(cell))}
FAIR_CHOSEN = {  # of each cell's twelve settings: rate, clip, start
    "LSTM": (0.02, 0.05, 1),
    "tanh RNN, Gaussian": (0.005, 1.0, 0),
    "tanh RNN, orthogonal": (0.02, 0.05, 1),
    "IRNN": (0.005, 0.05, 1),
    "tanh RNN, Gaussian, 17 units": (0.001, 0.05, 1),
    "tanh RNN, orthogonal, 17 units": (0.02, 0.05, 0),
    "IRNN, 17 units": (0.02, 1.0, 1),
}
FAIR = {cell: FAIR_SEARCH[cell, *chosen] for cell, chosen in FAIR_CHOSEN.items()}


# --------------------------------------------------------------------------------------------------
# T = 500 and T = 1000
# --------------------------------------------------------------------------------------------------

_GATED_LONG = ap.BEST | dict(iters=8000)  # the LSTM with a forget gate, as --best has it
_OLD_LONG = dict(cell="lstm1997", cell_sources="inputs", batch=8, iters=8000, schedule="cosine", clip=0.05)
LONG_SEARCH = {
    label: settings | dict(T=1000) for label, settings in {
        "LSTM, 16 units, rate 0.02, forget bias 3 (--best)": _GATED_LONG,
        "LSTM, 16 units, rate 0.02, forget bias 6": _GATED_LONG | dict(forget_bias=6.0),
        "LSTM, 16 units, rate 0.01, forget bias 3": _GATED_LONG | dict(lr=0.01),
        "LSTM, 16 units, rate 0.01, forget bias 6": _GATED_LONG | dict(lr=0.01, forget_bias=6.0),
        "LSTM, 16 units, rate 0.005, forget bias 3": _GATED_LONG | dict(lr=0.005),
        "LSTM, 16 units, rate 0.005, forget bias 6": _GATED_LONG | dict(lr=0.005, forget_bias=6.0),
        "1997, all sources, 16 units, rate 0.01":
            _OLD_LONG | dict(cell_sources="all", hidden=16, lr=0.01),
        "1997, inputs alone, 8 units, rate 0.02": _OLD_LONG | dict(lr=0.02),
        "1997, inputs alone, 8 units, rate 0.01": _OLD_LONG | dict(lr=0.01),
        "1997, inputs alone, 8 units, rate 0.005": _OLD_LONG | dict(lr=0.005),
        "1997, inputs alone, 16 units, rate 0.02": _OLD_LONG | dict(hidden=16, lr=0.02),
        "1997, inputs alone, 16 units, rate 0.01": _OLD_LONG | dict(hidden=16, lr=0.01),
        "1997, inputs alone, 16 units, rate 0.005": _OLD_LONG | dict(hidden=16, lr=0.005),
    }.items()}
LONG_LENGTHS = (100, 500, 1000, 2000)
LONG = {f"T = {T}": ap.LONG | dict(T=T) for T in LONG_LENGTHS}
LONG_CHOSEN = {  # of the six settings of a cell, whose labels begin alike
    "1997, inputs alone": "1997, inputs alone, 16 units, rate 0.02",
    "LSTM": "LSTM, 16 units, rate 0.01, forget bias 3"}
LONG_FAIR = {cell: LONG_SEARCH[label] | dict(iters=ap.LONG["iters"]) for cell, label in LONG_CHOSEN.items()}


def study(name, shows, grid, seeds, minutes, eval_every=100, snapshot_every=0, keep=("history",)):
    options = dict(snapshot_every=snapshot_every, eval_every=eval_every)
    return Study(name, shows, "adding_problem", grid, seeds, minutes, options, keep)


STUDIES = [
    study("smoke", "that everything works: four cells of a second", SMOKE, range(2), 0.1),
    study("adding-animation", "the runs of the pictures, the animation and the explorer, seed 0",
          HEADLINE | STOPPED | GRU, range(1), 0.3, snapshot_every=400, keep=("history", "weights", "snapshots")),
    study("adding-headline", "the adding problem's recipe over ten seeds, LSTM and tanh RNN",
          HEADLINE | STOPPED, TEN, 1.7, keep=("history", "weights")),
    study("adding-headline-float64", "the same runs in double precision", HEADLINE_FLOAT64, TEN, 2.6),
    study("adding-rnn-precisions", "the tanh RNN in both precisions, a hundred seeds", RNN_PRECISIONS, range(100), 8,
          eval_every=2000, keep=()),
    study("adding-cells", "which cell learns T = 100: five cells", CELLS, TEN, 3.3),
    study("adding-gru", "the headline's recipe with a GRU", GRU, TEN, 1.2),
    study("adding-lags", "T = 100, 500, 1000", LAGS, THREE, 7.5, eval_every=1000),
    study("adding-hidden", "2 to 32 hidden units", HIDDEN, TEN, 9.5, eval_every=2000),
    Study("adding-lesions", "the headline's LSTMs with weights between units taken away",
          "adding_lesions", {"LSTM": dict()}, TEN, 1.4, keep=()),
    study("adding-crossing", "the weak seeds: first weights, data and schedules crossed",
          CROSSING, FOUR, 6, eval_every=2000),
    study("adding-search", "what was tried for a better recipe, on validation sequences",
          SEARCH, SEARCH_SEEDS, 16, eval_every=4000),
    study("adding-lstm1997-sources-search", "the cell of 1997 at T = 500: rates, both candidates",
          SOURCES_SEARCH, range(100, 101), 4, eval_every=1000),
    study("adding-lstm1997-sources", "the cell of 1997 at T = 500: what its candidate sees",
          SOURCES, THREE, 3, eval_every=500),
    study("adding-lstm1997-sources-1000", "the same at T = 1000, half as many iterations",
          SOURCES_1000, range(2), 2, eval_every=500),
    study("adding-best", "the best recipe on fresh seeds", {"--best": ap.BEST}, FRESH, 4.3,
          eval_every=1000),
    # Equal budgets, equal search
    study("adding-fair-search", "for each cell the same grid of rate, clip and start, on other seeds",
          FAIR_SEARCH, FAIR_SEARCH_SEEDS, 20, eval_every=400, keep=()),
    study("adding-fair", "each cell at its best of that grid: what it can do in 256,000 sequences",
          FAIR, FRESH, 5, eval_every=100),
    study("adding-long-search", "what was tried at T = 1000, on validation sequences", LONG_SEARCH,
          LONG_SEARCH_SEEDS, 40, eval_every=1000, keep=()),
    study("adding-long", "--long on fresh seeds, T = 100 to 2000", LONG, FRESH, 70, eval_every=250),
    study("adding-long-fair", "T = 1000: the cell of 1997 and the LSTM, each at its best of six settings", LONG_FAIR,
          FRESH, 45, eval_every=500),
]
