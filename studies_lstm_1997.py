# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""The runs behind docs/lstm_1997.md: for each study its settings, and what it costs.

The tables and the pictures read this list. As a script it prints the commands, or runs a study; runs of equal shape
then train in one lockstep stack, which changes the time they take and not a bit of what comes out:
    python3 studies_lstm_1997.py                          the commands
    python3 studies_lstm_1997.py --run lstm-values-6a     what results.json lacks of a study
"""

import sys

import lstm_1997 as lstm
from studies_common import command_of

LITERAL = ("literal", "update step")  # the readings that change nothing the text says
STEP = dict(update="step")
REBER = dict(update="step", ranges="table10", gate_start=0.5, output_error="flat-spot")
WIDER = REBER | dict(ranges="wide")
LAG = dict(error_factor=2.0, ranges="table10")
ADDING = dict(output_error="plain", error_factor=2.0, ranges="table10")
LARGER, LARGEST = ADDING | dict(init_scale=12.0), ADDING | dict(init_scale=24.0)
STEEPER = dict(output_error="flat-spot", ranges="table10")
FULL = dict(gradient="full")
TEN = dict(trials=10)


def runs(task, *readings):
    """A task's settings with each of some readings."""
    return [task | reading for reading in readings]


def capped(task, cap):
    return task | dict(max_sequences=cap)


def lag(q, p):
    return dict(experiment="2c", q=q, p=p)


# Tables 1 to 9: the literal reading or readings of each row, then the smallest named change that was expected to reach
# the paper's figure. Where no cap is given it is twice the paper's count.
TABLE_1 = [
    *runs(dict(experiment="1", blocks=4, lr=0.1), {}, STEP, WIDER),
    *runs(dict(experiment="1", blocks=3, lr=0.1), {}, STEP, WIDER),
    *runs(dict(experiment="1", blocks=3, lr=0.2), {}, STEP, WIDER),
    *runs(dict(experiment="1", blocks=4, lr=0.5), {}, STEP, WIDER),
    *runs(capped(dict(experiment="1", blocks=3, lr=0.5), 30_000), {}, STEP, REBER),
]
TABLE_2 = [
    *runs(dict(experiment="2a"), {}, STEP),
    capped(dict(experiment="2a", output_error="flat-spot", error_factor=2.0, add_cell_when=100) | STEP, 15_000),
    *runs(dict(experiment="2b"), {}, STEP),
    capped(dict(experiment="2b", errors_at="end", output_error="plain", add_cell_when=100), 15_000),
]
LAGS = [line for line in lstm.LINES if line.experiment == "2c"]
LITERAL_2C = [capped(lag(50, 50), 150_000), *(lag(line.q, line.p) for line in LAGS[1:])]
NOT_RECURRENT = [capped(lag(line.q, line.p) | dict(recurrent="none"), 3 * line.paper) for line in LAGS]
TABLES_4_TO_6 = [
    capped(dict(experiment="3a", T=100, N=3), 398_500), dict(experiment="3a", T=100, N=1),
    dict(experiment="3b", T=100, N=3), capped(dict(experiment="3b", T=100, N=1), 392_200),
    dict(experiment="3c", T=100, N=3), dict(experiment="3c", T=100, N=1),
    *(dict(experiment=name, T=100, N=N) | STEEPER for name, N in (("3a", 3), ("3b", 1), ("3c", 3))),
    dict(experiment="3b", T=100, N=1) | LARGER]
TABLES_4_AND_5_LONG = [
    capped(dict(experiment="3a", T=1000, N=3), 452_500), capped(dict(experiment="3a", T=1000, N=3) | STEEPER, 904_900),
    *runs(capped(dict(experiment="3b", T=1000, N=1), 485_100), {}, STEEPER | dict(init_scale=6.0), LARGER, LARGEST)]
TABLE_7 = [capped(dict(experiment="4", T=100), 1_000_000), capped(dict(experiment="4", T=100) | ADDING, 200_000)]
TABLE_7_LONG = [
    *runs(dict(experiment="4", T=500), {}, ADDING, LARGER),
    *runs(capped(dict(experiment="4", T=1000), 853_000), {}, ADDING, LARGER),
]
TABLE_8 = runs(dict(experiment="5"), {}, dict(error_factor=2.0), dict(output_error="plain"))
TABLE_9 = [
    capped(dict(experiment="6a"), 313_900), dict(experiment="6a", ranges="table10"),
    *runs(dict(experiment="6b"), {}, STEEPER, STEEPER | dict(error_factor=2.0))]

# Section 6.1 and the remarks that the precise values hardly matter
LIMITS = [
    dict(experiment="xor"), dict(experiment="parity"),
    *(dict(experiment="count", T=T, N=N, **reading)
      for reading in ({}, dict(bias_scale=0.0)) for T, N in ((11, 3), (100, 99))),
]
VALUES = (dict(bias_scale=0.0), dict(bias_scale=0.5), dict(bias_scale=2.0))
VALUES_6A = runs(
    capped(dict(experiment="6a") | TEN, 125_600), *VALUES, dict(lr=0.1), dict(lr=0.2), dict(lr=1.0))
VALUES_4 = runs(capped(dict(experiment="4") | ADDING, 200_000), *VALUES, dict(lr=0.25), dict(lr=1.0))
FULL_GRADIENT_BASE = [dict(experiment="6a"), dict(experiment="3a", T=100, N=3), dict(experiment="xor")]
FULL_GRADIENT = [
    dict(experiment="6a") | TEN | FULL, dict(experiment="3a", T=100, N=3) | FULL, dict(experiment="xor") | FULL]

# Section 5.1.6
OUTPUT_GATES_BASE = TABLE_1[-2:]
OUTPUT_GATES = runs(
    capped(dict(experiment="1", blocks=3, lr=0.5, output_gates="none"), 30_000), STEP, REBER)

# Readings of the rows that no reading has brought to the paper's figure
RIDDLE_1 = [
    *runs(capped(dict(experiment="1", blocks=3, lr=0.5), 100_000), STEP, REBER),
    *runs(capped(dict(experiment="1", blocks=3, lr=0.5) | REBER, 30_000), dict(ranges="h4", flat_spot=0.05),
          dict(ranges="wide"), dict(init_scale=2.0), dict(carry_derivatives=True)),
    capped(dict(experiment="1", blocks=3, lr=0.5) | REBER | FULL | dict(update="sequence"), 30_000),
    capped(dict(experiment="1", blocks=3, lr=0.5) | WIDER, 100_000),
]
RIDDLE_2C = [
    *(capped(lag(q, q) | LAG, 150_000) for q in (50, 100, 200)),
    *runs(capped(lag(50, 50) | LAG, 60_000), dict(ranges="wide"), dict(ranges="h4"), dict(gate_start=0.5),
          dict(init_scale=0.5), dict(output_error="flat-spot")),
    *(lag(q, q) | LAG | dict(init_scale=0.1) for q in (100, 200)),
    lag(200, 200) | dict(recurrent="zero"),
]
RIDDLE_4 = runs(
    capped(dict(experiment="4", T=500) | ADDING, 418_000), dict(bias_scale=2.0), dict(bias_scale=3.0), dict(lr=0.25),
    dict(ranges="wide"))
FIRST_WEIGHTS = [capped(dict(experiment="4") | LARGER, 200_000), dict(experiment="4", T=500) | LARGEST]

STUDIES = {  # name: what it shows, settings of its runs, minutes of one core
    "lstm-table-1": ("embedded Reber grammar, Table 1", TABLE_1, 60),
    "lstm-table-2": ("2a and 2b, Table 2", TABLE_2, 30),
    "lstm-table-3": ("2c with q = 50, 100 and 200, Table 3", LITERAL_2C[:3] + NOT_RECURRENT[:3], 20),
    "lstm-table-3-500": ("2c with q = 500 and no recurrence, Table 3", NOT_RECURRENT[3:4], 3),
    "lstm-table-3-1000": ("2c with q = 1000 and no recurrence, Table 3", NOT_RECURRENT[4:], 60),
    "lstm-table-3-long": ("2c with q = 500 and 1000, literal, Table 3", LITERAL_2C[3:], 190),
    "lstm-tables-4-to-6": ("3a, 3b and 3c with T = 100, Tables 4 to 6", TABLES_4_TO_6, 40),
    "lstm-tables-4-and-5-long": ("3a and 3b with T = 1000, Tables 4 and 5", TABLES_4_AND_5_LONG, 220),
    "lstm-table-7": ("adding with T = 100, Table 7", TABLE_7, 20),
    "lstm-table-7-long": ("adding with T = 500 and 1000, Table 7", TABLE_7_LONG, 400),
    "lstm-table-8": ("multiplication, Table 8", TABLE_8, 60),
    "lstm-table-9": ("temporal order, Table 9", TABLE_9, 40),
    "lstm-output-gates": ("section 5.1.6: without output gates", OUTPUT_GATES, 8),
    "lstm-limits": ("section 6.1: exclusive or, parity, counting", LIMITS, 20),
    "lstm-full-gradient": ("section 6.1: the full gradient", FULL_GRADIENT_BASE[:2] + FULL_GRADIENT, 18),
    "lstm-values-6a": ("other gate biases and rates, Experiment 6a", VALUES_6A, 6),
    "lstm-values-4": ("other gate biases and rates, Experiment 4", VALUES_4, 10),
    "lstm-riddle-2c": ("further readings of 2c with q = 50 to 200", RIDDLE_2C, 25),
    "lstm-riddle-1": ("further readings of the embedded Reber grammar", RIDDLE_1, 55),
    "lstm-riddle-4": ("further readings of adding with T = 500", RIDDLE_4, 60),
    "lstm-first-weights": ("adding with larger first weights, T = 100 and 500", FIRST_WEIGHTS, 25),
}
TABLES = [name for name in STUDIES if "table" in name]  # of the paper; the others are small studies
ROWS = [run for name in TABLES for run in STUDIES[name][1]]


def by_settings(results):
    """The records of lstm_1997 in the contents of a results file, by Settings."""
    return {lstm.Settings(**record["settings"]): record for record in results.get(lstm.EXPERIMENT, [])}


def pairs_of(arms, results):
    """Settings and record of each run of a list; None where there is no record."""
    known = by_settings(results)
    return [(row, known.get(row)) for row in (lstm.Settings(**arm) for arm in arms)]


def command(arm):
    """The command that makes a run's record."""
    return command_of(lstm, arm)


def main(argv=None):
    parser = lstm.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    parser.add_argument("--run", nargs="+", choices=STUDIES, metavar="STUDY", help="train what is missing of a study")
    number = lstm.flag_value(int, 1, 10**9)
    parser.add_argument("--trials", type=number, metavar="N", help="trials of each run, for a quick look at a study")
    parser.add_argument("--max-sequences", type=number, metavar="N", help="cap of each run, for the same")
    lstm.add_flags(parser, lstm.Options)
    args = parser.parse_args(argv)
    if not args.run:
        for name, (shows, arms, minutes) in STUDIES.items():
            print(f"# {name}: {shows}; {minutes} minutes of one core", *map(command, arms), "", sep="\n")
        return 0
    try:
        lstm.check_results(args.out)
        results = lstm.read_results(args.out)
    except lstm.ResultsError as error:
        parser.error(str(error))
    given = {name: getattr(args, name) for name in ("trials", "max_sequences") if getattr(args, name) is not None}
    try:
        wanted = pairs_of([arm | given for name in args.run for arm in STUDIES[name][1]], results)
    except ValueError as error:
        parser.error(str(error))
    missing = dict.fromkeys(row for row, record in wanted if record is None)
    if not missing:
        print("nothing is missing: every run has a record")
        return 0
    return lstm.train_rows(list(missing), lstm.from_flags(lstm.Options, args), quiet=False)


if __name__ == "__main__":
    sys.exit(main())
