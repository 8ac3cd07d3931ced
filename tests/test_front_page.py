"""The front page keeps its limits, every page opens with its findings, every link and anchor leads somewhere, sources
and targets are listed where they are said to be; and faults planted in a page are noticed."""

import collections
import dataclasses
import re

import pytest
from conftest import ROOT

import lstm_1997
import tables

FRONT = ROOT / "README.md"
WORDS, ROWS, COLUMNS = 900, 6, 4
PAGES = [*tables.pages(), ROOT / "CONTRIBUTING.md"]


def read(page):
    return page.read_text(encoding="utf-8")


# What a reader reads


def seen(text):
    """A page without comments, addresses, pictures and marks of emphasis: what a reader reads."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|<[^>]+>", "", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def words(text):
    """Every word and number, of captions, cells, lists and commands, too."""
    return [word for word in re.split(r"[\s|]+", seen(text)) if re.search(r"\w", word)]


def tables_of(text):
    """(rows, columns) of every table; the header is no row."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", seen(text) + "\n", re.MULTILINE):
        lines = block.replace("\\|", "").splitlines()
        found.append((len(lines) - 2, max(line.count("|") - 1 for line in lines)))
    return found


def codes_of_readings():
    """What names a reading of the 1997 paper in the tables of docs/: settings in the group of readings, as code."""
    names = []
    for field in dataclasses.fields(lstm_1997.Settings):
        name, choices = field.name.replace("_", "-"), field.metadata["choices"]
        if field.metadata["group"] == "reading":
            names += [name] if "-" in name else [f"{name} {choice}" for choice in choices or ()]
            names.append(f"--{name}")
    return names


def complaints(text):
    """What is wrong with a front page."""
    found = []
    if len(words(text)) > WORDS:
        found.append(f"{len(words(text))} words")
    found += [f"{rows} rows" for rows, _ in tables_of(text) if rows > ROWS]
    found += [f"{columns} columns" for _, columns in tables_of(text) if columns > COLUMNS]
    found += [f"code {code}" for code in codes_of_readings() if code in seen(text)]
    first = seen(text).split("\n## ")[1]
    if tables_of(first) != [(6, 4)] or "adding_problem.py" not in first or "1997" not in first:
        found.append("the first section does not answer the six questions")
    if len(words(text.split("\n## ")[0])) > 60 or ".gif" not in text.split("\n## ")[0]:
        found.append("the first section is not on the first screen")
    return found


def test_the_front_page_keeps_its_limits():
    assert complaints(read(FRONT)) == []


def test_what_counts_as_a_word():
    text = ("<!-- not this -->\n![nor this](a.png)\n<img src='nor/this.png' alt='nor this'>\n*One caption.*\n"
            "[two words](https://example.org/none/of/this)\n| 3 of 4 | - |\n|---|---|\n"
            "<!-- begin a:b -->`five`<!-- end a:b -->\n")
    assert words(text) == ["*One", "caption.*", "[two", "words]", "3", "of", "4", "`five`"]
    assert tables_of("| a | b \\| c |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n| a |\n|---|\n") == [(2, 2), (0, 1)]


@pytest.mark.parametrize("old, new, complaint", [
    ("## Try it\n", "## Try it\n" + "word " * WORDS, "words"),
    ("## Try it\n", "## Try it\n" + "| 1 | 2 |\n" * (ROWS + 3), "7 rows"),
    ("## Try it\n", "## Try it\n| 1 | 2 | 3 | 4 | 5 |\n|---|---|---|---|---|\n", "5 columns"),
    ("## Try it\n", "## Try it\nwith output-error flat-spot\n", "code output-error"),
    ("## Try it\n", "## Try it\n`recurrent none`\n", "code recurrent none"),
    ("## Try it\n", "## Try it\n`python3 lstm_1997.py --ranges table10`\n", "code --ranges"),
    ("## What came out\n", "## Try this\n\nFirst.\n\n## What came out\n", "six questions"),
    ("\n## What came out", "word " * 60 + "\n## What came out", "first screen"),
])
def test_a_fault_of_the_front_page_is_noticed(old, new, complaint):
    text = read(FRONT)
    assert text.count(old) == 1
    assert any(complaint in found for found in complaints(text.replace(old, new)))


# Openings


def opening(text):
    """The lines of a page between its title and what comes next, comments left out."""
    title, *lines = seen(text).strip().splitlines()
    while lines and not lines[0].strip():
        del lines[0]
    end = next((k for k, line in enumerate(lines) if not line.strip()), len(lines))
    return title, lines[:end], lines[end:]


def faults_of_opening(text):
    """What is wrong with the way in which a page of docs/ opens: its findings first, in at most five lines."""
    title, lines, _ = opening(text)
    found = [] if re.match(r"# \w", title) else ["no title"]
    if not lines or re.match(r"[|#]|```|!\[|<img|Sources?\b", lines[0]) or "![" in text.split("\n\n")[1]:
        found.append("does not open with findings")
    if len(lines) > 5:
        found.append(f"{len(lines)} lines of findings")
    if any(len(line) > 300 for line in lines):
        found.append("a line of more than 300 characters")
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "docs"], ids=lambda page: page.name)
def test_every_page_opens_with_its_findings(page):
    assert faults_of_opening(read(page)) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "studies").glob("[!_]*.py")))
def test_an_experiments_findings_are_made_from_records(name):
    text = read(ROOT / "docs" / f"{name}.md")
    assert "<!-- begin " in re.split(r"\n## |\n\||\n!\[|\n```", text)[0]


@pytest.mark.parametrize("text, fault", [
    ("# A page\n\n- It works.\n- It is fast.\n\n| a |\n|---|\n", None),
    ("# A page\n\n<!-- begin a:b -->\n- It works.\n<!-- end a:b -->\n\n## Legend\n", None),
    ("It works.\n", "no title"),
    ("# A page\n\n| a |\n|---|\n\nIt works.\n", "findings"),
    ("# A page\n\n## Problem\n\nIt works.\n", "findings"),
    ("# A page\n\n![picture](a.png)\n\nIt works.\n", "findings"),
    ("# A page\n\nSource: a paper.\n\nIt works.\n", "findings"),
    ("# A page\n\n" + "- It works.\n" * 6, "6 lines"),
    ("# A page\n\n" + "It works. " * 40, "300 characters"),
])
def test_a_fault_of_an_opening_is_noticed(text, fault):
    faults = faults_of_opening(text)
    assert faults == [] if fault is None else fault in "; ".join(faults)


# Links


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    found, copies, text = [], collections.Counter(), re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", seen(heading).lower()).replace(" ", "-")
        found.append(f"{name}-{copies[name]}" if copies[name] else name)
        copies[name] += 1
    return found


def dead_links(page, text):
    """Links and pictures of a page that lead nowhere: files that are not there, headings that are not."""
    dead, text = [], re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"""src=["']([^"']+)""", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = page if not name else page.parent / name
        if not file.exists() or (anchor and anchor not in anchors(read(file) if name else text)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    assert dead_links(page, read(page)) == []


def test_anchors_are_githubs():
    text = ("# A: b's page\n## Longer lags: T = 500 and T = 1000\n## Twice\n## Twice\n```\n# no heading\n```\n"
            "## The `--best` flag\n")
    assert anchors(text) == ["a-bs-page", "longer-lags-t--500-and-t--1000", "twice", "twice-1", "the---best-flag"]


@pytest.mark.parametrize("link", [
    "[a](docs/absent.md)", "![a](viz/absent.png)", "<img src='absent.gif'>", "[a](docs/running.md#no-such-heading)",
    "[a](#no-such-heading)"])
def test_a_dead_link_is_noticed(link):
    assert len(dead_links(FRONT, f"# Title\n\n[fine](docs/running.md#flags) [fine](#title) {link}\n")) == 1


def test_every_page_can_be_reached_from_the_front_page():
    reached, waiting = set(), [FRONT]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [(page.parent / name).resolve() for name in re.findall(r"\]\(([\w/.]+\.md)", read(page))]
    assert {page.name for page in PAGES} <= {page.name for page in reached}


# Sources and targets


def test_sources_are_the_same_everywhere():
    listed = {row.split(" | ")[1] for row in read(ROOT / "docs" / "sources.md").splitlines() if row.startswith("| ")}
    cited = set(re.findall(r'^    title: "(.+)"$', read(ROOT / "CITATION.cff"), re.MULTILINE))
    assert len(cited) > 20 and cited <= listed
    front = read(FRONT).split("## Licence and sources")[1]
    for title in [title for _, title in re.findall(r"^- (.+\(\d{4}\)), (.+)$", front, re.MULTILINE)]:
        assert title in cited, title
    assert front.count("\n- ") == 6


def test_every_target_of_make_is_explained():
    phony = re.search(r"^\.PHONY: (.+)$", read(ROOT / "Makefile"), re.MULTILINE)[1].split()
    told = re.findall(r"^\| `make ?(\w*)` \|", read(ROOT / "docs" / "running.md"), re.MULTILINE)
    assert sorted(name or "headline" for name in told) == sorted(phony)
    helped = re.findall(r"^# make ?(\w*)  ", read(ROOT / "Makefile"), re.MULTILINE)
    assert sorted(name or "headline" for name in helped) == sorted(phony)
