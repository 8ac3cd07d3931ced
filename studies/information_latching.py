"""The runs behind docs/information_latching.md. A record holds all repeats of a setting."""

from studies import Study

CELLS = {  # the rows of the table
    "SRNN, U = ±1 (Keras)": dict(cell="srnn"),
    "SRNN, U = ±0.73": dict(cell="srnn", init_scale=0.73),
    "SRNN, U = +1.25": dict(cell="srnn", init="identity", init_scale=1.25),
    "LSTM, forget bias 1 (Keras)": dict(cell="lstm"),
    "LSTM, forget bias 0": dict(cell="lstm", forget_bias=0),
    "LSTM, forget bias 3": dict(cell="lstm", forget_bias=3),
    "LSTM, forget bias 5": dict(cell="lstm", forget_bias=5),
    "LSTM, no forget gate (1997)": dict(cell="lstm", forget_bias="none"),
    "LSTM, chrono (told T)": dict(cell="lstm", forget_bias="chrono"),
    "GRU (Keras)": dict(cell="gru"),
    "GRU, update bias 3": dict(cell="gru", update_bias=3),
}
LENGTHS = (2, 5, 10, 20, 30, 50, 100, 200)
KERAS = ("srnn", "lstm", "gru")

TABLE = {(name, T): choice | dict(T=T) for name, choice in CELLS.items() for T in LENGTHS}
TRADEOFF = {  # recurrent weight at the start, T
    (U, T): dict(cell="srnn", init="identity", init_scale=U, T=T)
    for T in (30, 100) for U in (0.5, 0.73, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)}
SPLIT = {
    (split, cell, T): dict(cell=cell, split=split, T=T)
    for split in ("question", "shuffled") for cell in KERAS for T in (2, 5, 10, 30, 100)}
RELAY = {
    (units, cell, T): dict(task="bit_relay", cell=cell, units=units, T=T, updates=5000)
    for units in (1, 8) for cell in KERAS for T in (5, 10, 30)}
LATCH_1994 = {  # recurrent weight at the start, T
    (w, T): dict(task="latch1994", cell="srnn", init="identity", init_scale=w, T=T)
    for w in (0.5, 1.0, 1.25, 2.0) for T in (5, 10, 20, 50)}
TUNING = {
    "four times the updates": dict(cell="lstm", T=30, updates=16_000),
    "ten times the rate": dict(cell="lstm", T=30, lr=1e-2)}
KERAS_2018 = {
    (cell, T): dict(cell=cell, recurrent_activation="hard_sigmoid", T=T)
    for cell in ("lstm", "gru") for T in (10, 30)}
LANDSCAPE = {(cell, T): dict(cell=cell, T=T) for cell in ("srnn", "lstm") for T in (2, 10, 30, 100)}


def study(name, shows, grid, minutes, keep=("history",), ends_only=True):
    options = dict(ends_only=ends_only)  # of a curve only the start and the end are read
    return Study(
        f"latching-{name}", shows, "information_latching", grid, None, minutes, options, keep)


STUDIES = [
    study("headline", "the one-unit latch as Keras starts it", {"LSTM": dict()}, 0.3,
          ("history", "weights"), ends_only=False),
    study("watched", "the nets of explorer.html: SRNN, LSTM and chrono at T = 50, with their weights",
          {name: CELLS[name] | dict(T=50) for name in (
              "SRNN, U = ±1 (Keras)", "LSTM, forget bias 1 (Keras)", "LSTM, chrono (told T)")},
          0.5, ("history", "weights")),
    study("table", "success against length: every cell and start, thirty repeats each", TABLE, 12),
    study("tradeoff", "latching against sensitivity: the tanh unit's recurrent weight",
          TRADEOFF, 2.5),
    study("split", "the question's validation split, and a shuffled one", SPLIT, 2),
    study("relay", "the bit relay: one and eight units", RELAY, 3),
    study("latch1994", "the latch of 1994", LATCH_1994, 1),
    study("tuning", "four times the updates, ten times the rate", TUNING, 1),
    study("keras2018", "the hard sigmoid of 2018", KERAS_2018, 0.5),
    Study("latching-landscape", "the loss over two weights of a one-unit net", "latch_landscape",
          LANDSCAPE, None, 0.2, keep=()),
]
