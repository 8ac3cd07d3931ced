"""Prints the commands of the studies named, or of all."""

import sys

import harness
import studies


def main(argv=None):
    parser = harness.Parser(__doc__, prog="python3 -m studies")
    parser.add_argument("names", nargs="*", metavar="NAME", help="studies; see reproduce.py --list")
    names, known = parser.parse_args(argv).names, studies.load()
    for name in names or known:
        if name not in known:
            parser.error(f"no study is called {name}: see reproduce.py --list")
        study = known[name]
        harness.say(f"# {name}: {study.shows}; {study.minutes:g} minutes of one core")
        for label in study.grid:
            harness.say(studies.command(study, label))
        harness.say()
    return 0


if __name__ == "__main__":
    sys.exit(main())
