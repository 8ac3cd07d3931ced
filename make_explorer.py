# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""explorer.html, one self-contained page: trained nets at work in the browser, the paper's figures
beside ours, every run. From results.json and the files in explorer/.

    python3 make_explorer.py
    python3 make_explorer.py --results my_results.json --out my_explorer.html

Nothing is trained here: where a net has no stored weights, the line on standard error names the
command that makes them. The same results give the same page. What the page computes itself stands
in explorer/nets.js (forward passes) and explorer/tasks.js (sequences)."""

import base64
import collections
import dataclasses
import gzip
import hashlib
import importlib
import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np

import adding_problem as ap
import harness
import information_latching as il
import lstm_1997 as lstm
import pictures
import rnn_pathological as rp
import studies
from analysis import cells, readings

SOURCES = Path(__file__).resolve().parent / "explorer"
STYLE, TEMPLATE = "style.css", "page.html"
SCRIPTS = (  # in the order in which they need one another
    "nets.js", "tasks.js", "dom.js", "address.js", "chart.js", "words.js", "scene.js", "answer.js", "figure.js",
    "watch.js", "compare.js", "runs.js", "page.js")
CURVE_POINTS = 100  # of a curve among the runs, at most
LIST_DIGITS, DIGITS = 4, 5  # of the values of a curve or a list of trials, and of a single figure


@dataclasses.dataclass(frozen=True)
class Flags:
    """Where the records are and the page goes."""

    results: str = harness.setting("results.json", "file of results", "files")
    out: str = harness.setting("explorer.html", "file of the page", "files")


# --------------------------------------------------------------------------------------------------
# Nets to watch
# --------------------------------------------------------------------------------------------------

def packed(weights):
    """Weights {name: array} as {name: [shape, base64 of little-endian doubles]}: every bit."""
    arrays = {name: np.asarray(array, "<f8") for name, array in weights.items()}
    return {name: [array.shape, base64.b64encode(array.tobytes()).decode()] for name, array in arrays.items()}


def stored(results, experiment, settings, part="weights", *flags):
    """The record of these settings, with the part that is to be shown. Raises harness.ResultsError
    naming the command that makes it."""
    record = studies.find(results, experiment, settings)
    if record is None or not record.get(part):
        words = ["python3", f"{experiment}.py", *studies.flags_of(settings), *flags]
        raise harness.ResultsError(f"there is no record with the {part} of: {shlex.join(words)}")
    return record


def net(task, name, cell, own, copies, more=None):
    """A net to watch. own: what its task needs to know; copies: nets trained alike, of different seeds."""
    return dict(task=task, name=name, cell=cell, own=own, copies=copies) | (more or {})


def copy(record, stages, seed, words=""):
    """One trained net. stages: [words, figures in words, packed weights], from the start to the end."""
    return dict(seed=seed, words=words, run=run_name(record), stages=stages)


def adding_nets(results):
    """Every cell of the adding problem whose record keeps snapshots; LSTM and tanh RNN in any case."""
    found = []
    for cell in ap.CELLS:
        settings = dict(cell=cell) if cell != ap.Settings().cell else {}
        record = studies.find(results, ap.EXPERIMENT, settings)
        if cell in ("lstm", "rnn"):
            record = stored(results, ap.EXPERIMENT, settings, "snapshots", "--snapshot-every", "400")
        if not record or not record.get("snapshots"):
            continue
        history, stages = record["history"], []
        for snapshot in record["snapshots"]:
            row = history["iteration"].index(snapshot["iteration"])
            sequences, mse, rate = (history[name][row] for name in ("train_sequences", "test_mse", "solve_rate"))
            when = f"after {sequences:,} sequences" if sequences else "before training"
            figures = f"test MSE {mse:.2g} (constant 0: {ap.CONSTANT_MSE:.3f}), {rate:.0%} within {ap.TOLERANCE}"
            stages.append([when, figures, packed(snapshot["weights"])])
        curve = [history["train_sequences"], history["test_mse"]]
        own = dict(T=record["settings"]["T"], tolerance=ap.TOLERANCE)
        more = dict(curve=curve, curve_name="test MSE", at=[snapshot["iteration"] * record["settings"]["batch"]
                                                            for snapshot in record["snapshots"]])
        found.append(net("adding", cell, cell, own, [copy(record, stages, record["settings"]["seed"])], more))
    return found


def memory_nets(results):
    """3-bit memorization: the tanh RNN from an orthogonal and from a small random start."""
    found = []
    for init, name in (("ortho", "orthogonal start"), ("random", "small random start")):
        choice = dict(task="3bit_memorization", init=init)
        record = stored(results, rp.EXPERIMENT, choice, "weights", "--keep-weights")
        settings = rp.Settings(**record["settings"])
        fresh = rp.build(settings, 1)
        rp.initialise(fresh, settings, rp.streams(settings.seed)["init"])
        start, end = record["history"]["test_accuracy"][0], record["final"]["test_accuracy"]
        chance = f"(chance: {rp.task_of(settings).chance:.1%})"
        stages = [
            ["before training", f"{start:.1%} of test sequences right {chance}", packed(fresh.tensors(fresh.theta))],
            [f"after {record['final']['train_sequences']:,} sequences",
             f"{end:.1%} of test sequences right {chance}", packed(record["weights"])]]
        own = dict(T=settings.sequence_len)
        found.append(net("threeBits", name, "rnn", own, [copy(record, stages, settings.seed)]))
    return found


LATCHES = {  # at T = 50: some latch and some do not
    "simple RNN": dict(cell="srnn", T=50), "LSTM": dict(T=50),
    "LSTM, chrono start": dict(forget_bias="chrono", T=50)}
LATCH_CELLS = {"srnn": "rnn", "lstm": "lstm"}


def latch_nets(results):
    """The one-unit nets of the latch, all repeats of each."""
    found = []
    for name, choice in LATCHES.items():
        record = stored(results, il.EXPERIMENT, choice)
        settings = il.Settings(**record["settings"])
        fresh = il.build(settings, 1, settings.repeats)
        il.initialise(fresh, settings, [il.streams(seed) for seed in record["seeds"]])
        weights = [fresh.tensors(fresh.theta), record["weights"]]
        accuracy = [record["history"]["test_accuracy"][0], record["final"]["test_accuracy"]]
        words = ["before training", f"after {settings.updates * settings.batch:,} sequences"]
        copies = []
        for r, seed in enumerate(record["seeds"]):
            stages = []
            for when, every, figures in zip(words, weights, accuracy):
                own = {key.replace("W_y", "W_hy"): np.asarray(array)[..., r] for key, array in every.items()}
                stages.append([when, f"{figures[r]:.1%} of test sequences right (a guess: {il.CHANCE:.0%})",
                               packed(own)])
            kept = "latches" if accuracy[1][r] > il.SUCCESS else "does not latch"
            copies.append(copy(record, stages, seed, kept))
        own = dict(T=settings.T, noise=settings.noise)
        found.append(net("latch", name, LATCH_CELLS[settings.cell], own, copies))
    return found


def nets_of_1997(results):
    """Experiments 4 and 6a of 1997, with the paper's algorithm."""
    found = []
    for task, record in zip(("adding1997", "order1997"), cells.drawn(results)):
        if record is None or not record.get("weights"):
            name = "4" if task == "adding1997" else "6a"
            raise harness.ResultsError(f"there is no record with the weights of Experiment {name} of lstm_1997.py")
        settings, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
        layout = lstm.Layout(settings)
        trial = seed - settings.seed
        stopped, wrong = (record["final"][name][trial] for name in ("sequences_to_success", "wrong"))
        figures = f"{wrong} of {record['final']['test_sequences']} test sequences wrong"
        stages = [
            ["before training", "", packed(blocks(layout, lstm.Trial(settings, seed).start(layout)))],
            [f"after {stopped:,} sequences", figures, packed(blocks(layout, np.array(record["weights"]["theta"])))]]
        h_range, g_range = lstm.RANGES[settings.ranges]
        reading = dict(h_range=h_range, g_range=g_range, gate_start=settings.gate_start)
        own = dict(T=settings.T, windows=lstm.ORDER_WINDOWS.get(settings.experiment),
                   tolerance=lstm.TOLERANCE[settings.experiment])
        letters = readings.letters(settings)
        name = f"reading {letters}" if letters else "word for word"
        changes = [change.words for change in readings.CHANGES if change.applies(settings) is not None]
        more = dict(reading=reading, changes=changes)
        found.append(net(task, name, "blocks1997", own, [copy(record, stages, seed)], more))
    return found


def blocks(layout, theta):
    """Weights by the units they lead to: of cells, input gates, output gates (n, sources) and
    outputs (K, cells + 1), from the vector (size,) of a net whose inputs are not gathered."""
    W, _, W_out, _ = (part[0] for part in layout.split(theta[None]))
    first_in, first_out = layout.cells, layout.cells + layout.blocks
    return {"W_c": W[:first_in], "W_in": W[first_in:first_out], "W_out": W[first_out:], "W_k": W_out}


# --------------------------------------------------------------------------------------------------
# Runs
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Pool:
    """Values that many records share, each once."""

    values: list = dataclasses.field(default_factory=list)
    places: dict = dataclasses.field(default_factory=dict)

    def place(self, value):
        key = json.dumps(value)
        if key not in self.places:
            self.places[key] = len(self.values)
            self.values.append(value)
        return self.places[key]


def run_name(record):
    """A record's name in the page's address: eight digits of a hash of its settings."""
    text = json.dumps(record["settings"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def places_in_studies():
    """{(experiment, settings as JSON): [(study, label), ...]}."""
    found = collections.defaultdict(list)
    for study in studies.load().values():
        for label in study.grid:
            for settings in study.row(label):
                text = json.dumps(dataclasses.asdict(settings), sort_keys=True)
                found[study.experiment, text].append((study, label))
    return found


def rounded(value, digits=DIGITS):
    """A number with so many digits, for JSON as short as can be; others as they are."""
    if isinstance(value, float):
        value = float(f"{value:.{digits}g}")
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    return value


def point(value):
    """A value of a curve: rounded; of a list of trials the median of those that have one."""
    if isinstance(value, list):
        values = [number for number in value if isinstance(number, int | float)]
        return rounded(float(np.median(values)), LIST_DIGITS) if values else None
    return rounded(value, LIST_DIGITS) if isinstance(value, int | float) else None


def curves(history, pool):
    """[place of the x column, {name: column}] of a history, thinned to CURVE_POINTS; None without one.
    A column of lists becomes that of their medians."""
    columns = {name: column for name, column in history.items() if column}
    lengths = {len(column) for column in columns.values()}
    if len(columns) < 2 or len(lengths) > 1 or max(lengths) < 2:
        return None
    (x, *names), (length,) = columns, lengths
    chosen = np.unique(np.linspace(0, length - 1, min(length, CURVE_POINTS)).round().astype(int))
    thin = {name: [point(columns[name][k]) for k in chosen] for name in (x, *names)}
    several = [name for name in names if any(isinstance(value, list) for value in columns[name])]
    shown = {f"{name}, median" if name in several else name: thin[name] for name in names}
    return [pool.place([x, thin[x]]), shown]


def outcome(record):
    """How a run ended: [words, the number by which to sort, whether it is solved or None]. Of the figures
    that experiments have, the first that this one has; its status if there is none."""
    final, trials = record["final"], len(record.get("seeds", ())) or 1
    has = {name for name, value in final.items() if isinstance(value, int | float)}
    solved = final.get("solved")
    if final["status"] != "done":
        return [final["status"], None, None]
    if "trials_stopped" in has:
        stopped = final["trials_stopped"]
        return [f"{stopped} of {trials} trials stop", stopped / trials, stopped == trials]
    if "success_fraction" in has:
        fraction = final["success_fraction"]
        return [f"{round(fraction * trials)} of {trials} repeats above {il.SUCCESS}", fraction, None]
    if "test_accuracy" in has:
        return [f"accuracy {final['test_accuracy']:.3f}", final["test_accuracy"], solved]
    if "test_mse" in has:
        rate = f", {final['solve_rate']:.0%} within {ap.TOLERANCE}" if "solve_rate" in has else ""
        return [f"MSE {final['test_mse']:.3g}{rate}", final["test_mse"], solved]
    if "test_loss" in has:
        return [f"loss {final['test_loss']:.3g}", final["test_loss"], solved]
    if isinstance(final.get("cost"), dict) and "8" in final["cost"]:
        return [f"cost {final['cost']['8']:.3g}, words of 8 bytes", final["cost"]["8"], None]
    return [final["status"], None, None]


def label_words(label):
    """A row's label in a study, for a person."""
    return ", ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def figures(final):
    """What a record says in the end, numbers and words; long lists are left to results.json."""
    short = {name: value for name, value in final.items() if not isinstance(value, dict | list)}
    lists = {name: value for name, value in final.items()
             if isinstance(value, list) and len(value) <= 30 and not any(isinstance(v, list | dict) for v in value)}
    return {name: rounded(value) for name, value in short.items()} | {
        name: [rounded(v, LIST_DIGITS) for v in value] for name, value in lists.items()
        if any(v is not False and v is not None for v in value)}


def every_run(results):
    """All records: by experiment the settings that most of them share, and of each what differs."""
    in_studies, pools = places_in_studies(), {name: Pool() for name in ("x", "provenance", "study", "names")}
    experiments, records = [], []
    for experiment in (name for name in results if name != "schema"):
        part = results[experiment]
        common = {}
        for name in dict.fromkeys(name for record in part for name in record["settings"]):
            seen = Pool()
            counts = collections.Counter(seen.place(record["settings"].get(name)) for record in part)
            common[name] = seen.values[counts.most_common(1)[0][0]]
        experiments.append(dict(name=experiment, common=common, doc=purpose(experiment)))
        for record in part:
            settings, origin = record["settings"], dict(record["provenance"])
            own = {name: origin.pop(name) for name in ("date", "wall_seconds") if name in origin}
            key = experiment, json.dumps(settings, sort_keys=True)
            final = figures(record["final"])
            named = [[study.name, label_words(label), studies.command(study, label)]
                     for study, label in in_studies.get(key, ())]
            records.append([
                len(experiments) - 1, run_name(record),
                {name: settings.get(name) for name in common if settings.get(name) != common[name]},
                [pools["study"].place(place) for place in named], outcome(record),
                [pools["names"].place(list(final)), list(final.values())],
                curves(record.get("history", {}), pools["x"]), pools["provenance"].place(origin),
                own.get("date"), own.get("wall_seconds")])
    return dict(experiments=experiments, records=records) | {name: pool.values for name, pool in pools.items()}


def purpose(experiment):
    """The first sentence of an experiment's docstring; empty for one that is not there."""
    try:
        text = importlib.import_module(experiment).__doc__ or ""
    except ImportError:
        return ""
    return " ".join(re.split(r"\n\n", text)[0].split())


# --------------------------------------------------------------------------------------------------
# Paper and ours
# --------------------------------------------------------------------------------------------------

def kind_of(run):
    """How far a reading is from the paper's text."""
    return "other net" if not run.papers_net else "literal" if run.literal else "changed"


def row_words(row):
    """A row of the paper's tables in a few words."""
    words = [f"{row.blocks} blocks, rate {row.lr:g}"] if row.experiment == "1" else []
    words += [f"{name} = {getattr(row, name)}" for name in ("T", "N", "q", "p") if getattr(row, name) is not None]
    return ", ".join(words)


def of_the_paper(settings):
    """Whether the paper has a row with these settings, at whatever learning rate."""
    same = (getattr(settings, name) in (None, getattr(settings.row, name)) for name in lstm.IDENTITY if name != "lr")
    return settings.row in lstm.TABLE_ROWS and all(same)


def comparison(results):
    """The rows of the paper's tables and every reading of them that has a record; of readings that
    differ in their cap alone, the longest run."""
    in_studies, longest = places_in_studies(), {}
    for record in results.get(lstm.EXPERIMENT, []):
        settings = lstm.Settings(**record["settings"])
        if record["final"]["status"] != "done" or not of_the_paper(settings):
            continue
        key = settings.row, readings.letters(settings), settings.trials, settings.seed, settings.test_every
        if key not in longest or longest[key].settings.max_sequences < settings.max_sequences:
            longest[key] = readings.Run(settings, record)
    found = sorted(longest.values(), key=lambda run: (lstm.TABLE_ROWS.index(run.row), readings.place(run)))
    points = []
    for run in found:
        text = json.dumps(run.record["settings"], sort_keys=True)
        named = in_studies.get((lstm.EXPERIMENT, text))
        command = studies.command(*named[0]) if named else run.record["provenance"]["command"]
        mean = sum(run.reached) / len(run.reached) if run.reached else None
        points.append(dict(
            row=lstm.TABLE_ROWS.index(run.row), reading=readings.reading(run.settings), kind=kind_of(run),
            trials=run.settings.trials, sequences=run.sequences, mean=mean and round(mean),
            cap=run.settings.max_sequences, bound=run.bound, within=run.within, solved=run.solved,
            wrong=run.final["wrong"], tests=run.final["test_sequences"], command=command,
            run=run_name(run.record)))
    rows = [dict(
        experiment=row.experiment, table=row.table, words=row_words(row), paper=row.paper, trials=row.trials,
        stop=readings.papers_trials(row)) for row in lstm.TABLE_ROWS]
    changes = [[change.letter, change.words, change.paper] for change in readings.CHANGES]
    return dict(rows=rows, points=points, changes=changes)


# --------------------------------------------------------------------------------------------------
# The page
# --------------------------------------------------------------------------------------------------

def palette():
    """The colours of the pictures as variables of the style sheet."""
    names = ("ORANGE", "SKY", "GREEN", "YELLOW", "BLUE", "RED", "PURPLE")
    return ":root {" + "".join(f" --{name.lower()}: {getattr(pictures, name)};" for name in names) + " }\n"


def page(results):
    """The page as text. Raises harness.ResultsError for results without a net that it shows, LookupError,
    TypeError or AttributeError for records that lack parts."""
    nets = [*adding_nets(results), *memory_nets(results), *latch_nets(results), *nets_of_1997(results)]
    data = dict(nets=nets, compare=comparison(results), runs=every_run(results))
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    read = {name: (SOURCES / name).read_text(encoding="utf-8") for name in (STYLE, TEMPLATE, *SCRIPTS)}
    parts = {
        "style": palette() + read[STYLE], "script": "\n".join(read[name] for name in SCRIPTS),
        "data": base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], read[TEMPLATE])


def main(argv=None):
    parser, flags = pictures.parse(__doc__, Flags, argv)
    try:
        if not Path(flags.results).is_file():
            raise harness.ResultsError(f"{flags.results} is not there: name a file of results")
        pictures.two_files(flags)
        pictures.writable_folder(Path(flags.out).resolve().parent)
        results = harness.read_results(flags.results)
        with pictures.lacking(flags.results, Path(flags.out).name, ValueError):
            content = page(results).encode()
        harness.write_whole(flags.out, content)
    except (OSError, ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    harness.say(f"{flags.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
