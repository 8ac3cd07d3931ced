"""The runs behind docs/data_movement.md."""

from studies import Study

LENGTHS = (25, 50, 100, 200, 400, 800)
MODELS = ("lstm", "rnn", "shortcut", "scan")
NETS = MODELS[:2]

GRID = {
    **{(model, "T", T): dict(model=model, T=T) for model in MODELS for T in LENGTHS},
    **{(model, "weight gradient at the end, T", T): dict(model=model, T=T, weight_gradient="at_end")
       for model in NETS for T in LENGTHS},
    **{(model, "hidden units", H): dict(model=model, hidden=H)
       for model in NETS for H in (2, 4, 16, 32)},
    **{(model, "3bit_memorization"): dict(task="3bit_memorization", model=model)
       for model in ("rnn", "lstm")},
    ("rnn", "3bit_memorization, weight gradient at the end"): dict(
        task="3bit_memorization", model="rnn", weight_gradient="at_end"),
}

STUDIES = [
    Study("data-movement", "what a training step moves, traced value by value", "data_movement",
          GRID, None, 2, keep=()),
]
