"""The runs behind docs/constant_sources.md."""

import constant_sources
from studies import Study

CAPS = {100: 100_000, 500: 209_000, 1000: 20_000}  # training sequences of Experiment 4, by T
STATES_CAP = 20_000
CONNECTIONS = ("cc,cg,gc,gg", "cg,gc,gg", "cc,cg,gg", "cg,gg", "cc", "gc", "none")


def study(name, shows, grid, minutes):
    return Study(name, shows, constant_sources.EXPERIMENT, grid, None, minutes)


STUDIES = [
    study("constant-sources-4", "adding: output weights and states with constant sources that "
          "learn, are slow, frozen or absent, T = 100, 500 and 1000",
          {(T, constant): dict(T=T, constant=constant, max_sequences=CAPS[T])
           for T in CAPS for constant in constant_sources.RATES}, 40),
    study("constant-sources-2c", "2c: states at the end with and without weights from gates to "
          "cells, q = 50, 200 and 1000",
          {(q, constant): dict(experiment="2c", q=q, constant=constant, max_sequences=STATES_CAP)
           for q in (50, 200, 1000) for constant in ("learn", "absent")}, 15),
    study("constant-sources-connections", "2c with q = 200: which weights between hidden units may "
          "stay",
          {connections: dict(experiment="2c", q=200, connections=connections, max_sequences=66_000)
           for connections in CONNECTIONS}, 20),
]
