"""What visualizers share: the look of the pictures, the command line that draws them, and how they
are written.

Figures are made here without pyplot: no backend is chosen, so that a notebook that runs a
visualizer keeps its own."""

import contextlib
import dataclasses
import io
import os
import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import harness

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")  # Okabe & Ito

LOOK = {
    "figure.dpi": 120, "savefig.dpi": 120, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 11, "legend.frameon": False}

MOST_FPS = 50  # browsers slow down frames that are shown for less than 20 ms


# --------------------------------------------------------------------------------------------------
# Figures
# --------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def look(changes=None):
    """Inside, matplotlib draws with its own defaults, LOOK and these changes, whatever the
    user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK | (changes or {}))
        yield


def blank(**options):
    """An empty figure; options as for matplotlib's Figure."""
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def subplots(rows=1, columns=1, *, figsize, layout=None, dpi=None, **grid):
    """A figure and its axes, like pyplot's function of this name."""
    figure = blank(figsize=figsize, layout=layout, dpi=dpi)
    return figure, figure.subplots(rows, columns, **grid)


def png(figure):
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def pixels(figure):
    """A figure as an array (height, width, 3) of bytes."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()


def gif(frames, fps, rest):
    """Arrays (height, width, 3) as the bytes of an animation; the last one rests for some ms."""
    import imageio.v3 as iio

    durations = [1000 / fps] * (len(frames) - 1) + [rest] if len(frames) > 1 else rest
    return iio.imwrite("<bytes>", frames, extension=".gif", duration=durations, loop=0, optimize=True)


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Flags:
    """Where the records are and the pictures go."""

    results: str = harness.setting("results.json", "file of results", "files")
    outdir: str = harness.setting("viz", "folder of the pictures", "files")


def parse(doc, flags_class, argv):
    """The parser of a visualizer, and its flags. doc: the module's docstring, None under python
    -OO."""
    parser = harness.Parser(doc)
    harness.add_flags(parser, flags_class)
    return parser, harness.from_flags(flags_class, parser.parse_args(argv))


def draw_all(doc, argv, pictures, flags_class=Flags, changes=None):
    """The main function of a visualizer: draws all pictures, then writes them. Returns the exit code.

    pictures(flags) sees to the records that are missing and returns {name: function without
    arguments that draws a figure}; changes: of the look."""
    parser, flags = parse(doc, flags_class, argv)
    try:
        harness.read_results(flags.results)
        writable_folder(flags.outdir)
        drawn = {}
        with look(changes), lacking(flags.results):
            for name, draw in pictures(flags).items():
                with lacking(flags.results, name, ValueError):
                    drawn[name] = png(draw())
        for name, content in drawn.items():
            write(Path(flags.outdir, f"{name}.png"), content)
    except (OSError, ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    return 0


def animate(doc, argv, frames, flags_class, rest, changes=None):
    """The main function of an animation. Returns the exit code.

    frames(flags) sees to the records that are missing and returns a list of functions that draw
    a figure each; flags have fps, results and out; rest: ms for which the last frame is shown;
    changes: of the look."""
    parser, flags = parse(doc, flags_class, argv)
    path = Path(flags.out)
    try:
        two_files(flags)
        harness.read_results(flags.results)
        if path.suffix.lower() != ".gif" or (path.exists() and not path.is_file()):
            raise ValueError(f"{path} cannot be written as an animation: name a file that ends in .gif")
        writable_folder(path.parent)
        with look(changes), lacking(flags.results):
            drawings = frames(flags)
            with lacking(flags.results, path.name, ValueError):
                drawn = [pixels(draw()) for draw in drawings]
        content = gif(drawn, flags.fps, rest)
        write(path, content, f"{path}: {len(drawn)} frames, {len(content) / 1000:.0f} kB")
    except (OSError, ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    return 0


@contextlib.contextmanager
def lacking(path, name="the picture", *more):
    """Turns what a record without the parts that a picture needs may raise into one line that
    names the picture."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, *more) as error:
        words = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise harness.ResultsError(f"{name} cannot be drawn from the records in {path} ({words})") from error


# --------------------------------------------------------------------------------------------------
# Files
# --------------------------------------------------------------------------------------------------

def two_files(flags):
    """Raises ValueError if what is drawn would take the place of the results."""
    if Path(flags.out).resolve() == Path(flags.results).resolve():
        raise ValueError(f"--results and --out are one file, {flags.out}")


def writable_folder(path):
    """Creates a folder if need be. Raises OSError unless a file can be written in it."""
    os.makedirs(path, exist_ok=True)
    tempfile.TemporaryFile(dir=path).close()


def write(path, content, words=None):
    """Writes a picture, whole or not at all, says so, and shows it if this runs in a notebook."""
    harness.write_whole(path, content)
    harness.say(words or path)
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        from IPython.display import Image, display

        display(Image(data=content))
