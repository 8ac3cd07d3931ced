"""Writes every table and every sentence with a measured number into README.md and docs/*.md, from
results.json.

    python3 -m tables            rewrite the blocks
    python3 -m tables --check    exit with code 1 and name the blocks that differ from results.json
"""

import sys

import harness
import tables


def main(argv=None):
    parser = harness.Parser(__doc__, prog="python3 -m tables")
    parser.add_argument(
        "--check", action="store_true", help="only name the blocks that differ from results.json")
    check = parser.parse_args(argv).check
    try:
        results = harness.read_results(tables.ROOT / "results.json")
        if check:
            wrong = tables.differences(results)
            harness.say("\n".join(wrong) or "every block agrees with results.json")
            return int(bool(wrong))
        makers = tables.load()
        new = {page: tables.filled(page.read_text(encoding="utf-8"), makers, results) for page in tables.pages()}
    except (ValueError, LookupError, harness.ResultsError) as error:
        parser.error(str(error))
    for page, text in new.items():
        harness.write_whole(page, text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
