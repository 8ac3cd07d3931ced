# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Settings as dataclasses whose fields are command-line flags, with bounds, meaning and defaults
that may depend on other settings. Experiments reach all this through harness.py."""

import argparse
import dataclasses
import math
import os
import sys

from provenance import (  # isort: skip
    COMMAND)
from records import (  # isort: skip
    ResultsError, check_place, check_results, complain)


def setting(default, help, group, kind=None, low=None, high=None, choices=None, otherwise=None,
            needs=None):
    """A dataclass field that is also a command-line flag: default, meaning, --help group.

    kind: the type of a value (that of the default if left out); low, high: inclusive bounds;
    choices: the values it may have, or a function that returns them; otherwise: what takes the
    place of a default of None: a value, by(...), or a function of the settings; needs: another
    setting and the value it must have, or several of them, for this one to mean anything.
    """
    if needs and not isinstance(needs[1], tuple):
        needs = needs[0], (needs[1],)
    metadata = dict(help=help, group=group, kind=kind or type(default), low=low, high=high,
                    choices=choices, otherwise=otherwise, needs=needs)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class by:
    """A default that depends on another setting: for some of its values, and for all others."""

    name: str
    values: dict
    other: object = None

    def __call__(self, settings):
        return self.values.get(getattr(settings, self.name), self.other)

    def __str__(self):
        words = ", ".join(f"{value} for {key}" for key, value in self.values.items())
        return words if self.other is None else f"{words}, else {self.other}"


def fill(settings):
    """Fills what was left at None, in the order of the fields. Raises ValueError for a setting that
    was given without what it needs."""
    for field in dataclasses.fields(settings):
        value, meta = getattr(settings, field.name), field.metadata
        otherwise, needs = meta["otherwise"], meta["needs"]
        if needs and getattr(settings, needs[0]) not in needs[1]:
            if value != field.default:
                raise ValueError(f"{flag_of(field.name)} needs {in_words(needs)}")
        elif value is None and otherwise is not None:
            change(settings, field.name, otherwise(settings) if callable(otherwise) else otherwise)


def change(settings, name, value):
    """Sets a field of a frozen dataclass, in its __post_init__."""
    object.__setattr__(settings, name, value)


def flag_of(name):
    return "--" + name.replace("_", "-")


def in_words(needs):
    return f"{flag_of(needs[0])} {' or '.join(map(str, needs[1]))}"


@dataclasses.dataclass(frozen=True)
class CommonOptions:
    """What a run of any experiment shows and where it is kept. None of it changes a figure."""

    jobs: int = setting(1, "processes, for several runs", "output", low=1, high=1024)
    out: str = setting("results.json", "file of results", "output")
    quiet: bool = setting(False, "only the final lines", "output")


@dataclasses.dataclass(frozen=True)
class SeedOptions(CommonOptions):
    """The common ones and --again, for an experiment with --seeds."""

    again: bool = setting(False, "with --seeds, also run what --out has of this code", "output")


@dataclasses.dataclass(frozen=True)
class FileOptions(CommonOptions):
    """The common ones, with a file of sequences for other programs."""

    export: str | None = setting(
        None, "write held-out and training sequences of the seed into this .npz, for torch and "
        "Keras, and stop", "output", kind=str)
    export_sequences: int = setting(
        3200, "training sequences that --export writes, in whole batches", "output", low=1,
        high=10**7)


@dataclasses.dataclass(frozen=True)
class SequenceOptions(FileOptions, SeedOptions):
    """Those of FileOptions and SeedOptions together."""


@dataclasses.dataclass(frozen=True)
class ExportOptions(SequenceOptions):
    """Those of SequenceOptions, and files of weights and curves."""

    export_weights: str | None = setting(
        None, "also write the trained weights into this .npz, as torch's state_dict names them",
        "output", kind=str)
    csv: str | None = setting(None, "also write the curve into this file", "output", kind=str)


class Parser(argparse.ArgumentParser):
    """argparse with bad input reported in one line, exit code 2; doc: a module's docstring, of
    which --help shows the first paragraph."""

    def __init__(self, doc, **more):
        super().__init__(description=(doc or "").split("\n\n")[0], allow_abbrev=False, **more)

    def error(self, message):
        complain(f"{self.prog}: {' '.join(str(message).split())}")
        raise SystemExit(2)

    def parse_args(self, args=None, namespace=None):
        words = [str(word) for word in (sys.argv[1:] if args is None else args)]
        parsed = super().parse_args(words, namespace)
        parsed.given = {word.split("=")[0] for word in words if word.startswith("--")}
        COMMAND[:] = ["python3", self.prog, *words]
        return parsed


def experiment_parser(doc, *classes, seeds=True, checks="every weight of every cell"):
    """The command line of an experiment: a flag for every field, --seeds, and --gradcheck if there
    are checks."""
    parser = Parser(doc, epilog="Exit codes: 0 done, 1 failed check or diverged, 2 bad input, "
                                "130 interrupted.")
    add_flags(parser, *classes)
    if seeds:
        parser.add_argument("--seeds", type=seed_range, metavar="A-B",
                            help="the seeds A to B instead of --seed")
    if checks:
        parser.add_argument("--gradcheck", "--check", action="store_true",
                            help=f"check {checks}, and stop")
    return parser


def runs_of(parser, args, Settings, kinds=({},)):
    """The Settings of a command line: of every kind, a dict that goes before the flags, with every
    seed. What is bad in them or in --out ends the program."""
    seeds = getattr(args, "seeds", None)
    if seeds and "--seed" in args.given:
        parser.error("--seed and --seeds exclude each other")
    try:
        if not getattr(args, "gradcheck", False):
            check_results(args.out)
        runs = [from_flags(Settings, args, **kind | {"seed": seed})
                for kind in kinds for seed in seeds or [args.seed]]
        check_exports(args, len(runs))
        args.again = getattr(args, "again", False) or "--seeds" not in args.given
        return runs
    except (ValueError, ResultsError) as error:
        parser.error(error)


def check_exports(args, runs):
    """Raises ValueError or ResultsError for files for other programs that cannot be written.
    runs: how many runs the command line asks for."""
    taken = {os.path.realpath(args.out): "--out"}
    for name in ("export", "export_weights", "csv"):
        path = getattr(args, name, None)
        if path is None:
            continue
        if not path:
            raise ValueError(f"{flag_of(name)} needs the name of a file")
        other = taken.setdefault(os.path.realpath(path), flag_of(name))
        if other != flag_of(name):
            raise ValueError(f"{flag_of(name)} and {other} are one file, {path}")
        if name != "csv" and runs > 1:
            raise ValueError(f"{flag_of(name)} takes one run, not {runs}")
        if name != "csv" and not path.endswith(".npz"):
            raise ValueError(f"{flag_of(name)} {path} does not end in .npz")
        check_place(path)


def check_export_size(parser, args, values, held_out):
    """Ends the program if --export needs more than 4 GB. values: of one sequence and its target;
    held_out: sequences in the held-out set."""
    if args.export is not None:
        gigabytes = 32 * values * (held_out + args.export_sequences) / 1e9  # both layouts, and copies
        if gigabytes > 4:
            parser.error(f"--export needs about {gigabytes:.0f} GB of memory: shorten the sequences, "
                         "or lower --export-sequences")


def flag_value(kind, low, high):
    """A converter for argparse: text to a finite number of this kind within [low, high], or the
    text itself."""

    def convert(text):
        if kind is str:
            return text
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not abs(value) < math.inf:
            whole = "whole " if kind is int else ""
            raise argparse.ArgumentTypeError(f"{text!r} is not a {whole}number")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return convert


def seed_range(text):
    """Converts A-B to the seeds A ... B, for argparse."""
    first, _, last = text.partition("-")
    if first.isdecimal() and last.isdecimal():
        seeds = range(int(first), int(last) + 1)
        if 0 < len(seeds[:10_001]) <= 10_000 and seeds[-1] < 2**63:
            return seeds
    raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 0-9")


def add_flags(parser, *classes):
    """Makes a flag from every field of the settings dataclasses, grouped, with their defaults."""
    groups = {}
    for field in [field for cls in classes for field in dataclasses.fields(cls)]:
        meta, flag, kind = field.metadata, flag_of(field.name), field.metadata["kind"]
        if meta["group"] not in groups:
            groups[meta["group"]] = parser.add_argument_group(meta["group"])
        group, words = groups[meta["group"]], meta["help"]
        if kind is bool:
            group.add_argument(flag, action="store_true", help=words)
            continue
        if meta["needs"]:
            words += f"; needs {in_words(meta['needs'])}"
        default = meta["otherwise"] if field.default is None else field.default
        if default is not None and (isinstance(default, by) or not callable(default)):
            words += f" (default: {default})"
        choices = meta["choices"]() if callable(meta["choices"]) else meta["choices"]
        group.add_argument(
            flag, default=field.default, choices=choices, help=words.replace("%", "%%"),
            type=flag_value(kind, meta["low"], meta["high"]),
            metavar=None if choices else kind.__name__.upper())


def from_flags(cls, args, **replaced):
    """A settings dataclass from parsed flags."""
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(**{name: getattr(args, name) for name in names} | replaced)
