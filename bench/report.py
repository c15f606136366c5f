"""What `bench.peers` found: as JSON, and as a Markdown table and a chart, which are made from that JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from bench.measuring import Figure
from bench.readme import machine, made_by, today
from bench.rows import Goal, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Result:
    """A row that was measured, or why it was not. `figures` are by the names of the sides; ours is the first."""

    row: Row
    figures: Mapping[str, Figure] = field(default_factory=dict)
    words: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """What there is to say about it."""
        return [*filter(None, [self.row.note]), *self.words]

    @property
    def ours(self) -> Figure | None:
        return self.figures.get(self.row.ours.name)

    @property
    def best(self) -> tuple[str, Figure] | None:
        """The one of the others that did best."""
        others = [(side.name, self.figures[side.name]) for side in self.row.others if side.name in self.figures]
        if not others:
            return None
        return (max if self.row.is_rate else min)(others, key=lambda other: other[1].median)

    @property
    def ratio(self) -> float | None:
        """How many times as good ours is as the best of the others; where less is the goal, how many times as much it takes.

        None where one of the two is nothing or less: a difference of two times can be that, and says nothing then.
        """
        if self.ours is None or self.best is None:
            return None
        ours, other = self.ours.median, self.best[1].median
        if min(ours, other) <= 0:
            return None
        return ours / other if self.row.is_rate or self.row.goal.times is None else other / ours

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where it was not measured."""
        if self.ours is None or (self.ratio is None and self.row.goal.limit is None):
            return None
        return met(self.row.goal, self.ours.median, self.ratio)


def met(goal: Goal, ours: float, ratio: float | None) -> bool:
    if goal.limit is not None and ours > goal.limit:
        return False
    if ratio is None:
        return True
    return (goal.times is None or ratio >= goal.times) and (goal.at_most is None or ratio <= goal.at_most)


class Saved(TypedDict):
    """A row in the JSON file. `runs` are by the names of the sides that were measured."""

    id: str
    work: str
    ours: str
    against: str
    unit: str
    goal: dict[str, float]
    ratio: float | None
    met: bool | None
    runs: dict[str, list[float]]
    words: list[str]


class Report(TypedDict):
    """The JSON file: everything that was measured, when, on what and how."""

    command: str
    date: str
    machine: str
    runs: int
    versions: dict[str, str]
    rows: list[Saved]


def report(results: Sequence[Result], command: str, runs: int, versions: Mapping[str, str]) -> Report:
    return {
        "command": command,
        "date": today(),
        "machine": machine(),
        "runs": runs,
        "versions": dict(versions),
        "rows": [saved(result) for result in results],
    }


def saved(result: Result) -> Saved:
    row = result.row
    goals = {"times": row.goal.times, "at_most": row.goal.at_most, "limit": row.goal.limit}
    return {
        "id": row.id,
        "work": row.work,
        "ours": row.ours.name,
        "against": result.best[0] if result.best else row.others[0].name,
        "unit": row.unit,
        "goal": {name: value for name, value in goals.items() if value is not None},
        "ratio": result.ratio,
        "met": result.is_met,
        "runs": {name: list(figure.values) for name, figure in result.figures.items()},
        "words": result.notes,
    }


# Markdown


def markdown(found: Report) -> str:
    """The table, and before it how it came to be."""
    versions = ", ".join(f"{name} {of}" for name, of in found["versions"].items())
    made = made_by(found["command"], found["date"], found["machine"])
    return f"{made}, medians of {found['runs']}: {versions}.\n\n{table(found['rows'])}"


def table(rows: Sequence[Saved]) -> str:
    """The Markdown table, and below it what there is to say about rows."""
    lines = ["| row | work | ours | against | theirs | ratio | goal | |", f"|{'---|' * 8}", *map(line, rows)]
    told: dict[str, list[str]] = {}
    for row in rows:
        for word in row["words"]:
            told.setdefault(word, []).append(f"`{row['id']}`")
    notes = [f"- {', '.join(ids)}: {word}" for word, ids in told.items()]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def line(row: Saved) -> str:
    """Its line of the table."""
    unit, runs = row["unit"], row["runs"]
    cells = [
        f"`{row['id']}`",
        row["work"],
        _cell(runs.get(row["ours"]), unit),
        row["against"],
        _cell(runs.get(row["against"]), unit),
        "" if row["ratio"] is None else _number(row["ratio"]),
        _goal(row["goal"], unit),
        {True: "met", False: "**missed**", None: "not measured"}[row["met"]],
    ]
    return f"| {' | '.join(cells)} |"


def _goal(goal: Mapping[str, float], unit: str) -> str:
    words = {"times": "at least {:g}", "at_most": "at most {:g}", "limit": f"below {{:g}} {unit}"}
    return ", ".join(words[name].format(value) for name, value in goal.items())


def _cell(values: Sequence[float] | None, unit: str) -> str:
    if not values:
        return ""
    figure = Figure(tuple(values))
    return f"{_number(figure.median)} {unit} ±{figure.spread / 2:.0%}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


# The chart


class Bar(NamedTuple):
    """A bar of the chart: what was done, how many times as good ours is as the best of the others, the goal, and it all in words."""

    label: str
    ratio: float
    goal: float
    is_met: bool
    words: str


def bars(rows: Sequence[Saved]) -> list[Bar]:
    """Those rows that are about a ratio, the other way round where less is the goal."""
    found = []
    for row in rows:
        ratio, goal, against = row["ratio"], row["goal"], row["against"].replace("`", "")
        if not ratio:
            continue
        label, number = row["work"].replace("`", ""), _number(ratio)
        if "times" in goal:
            found.append(Bar(label, ratio, goal["times"], bool(row["met"]), f"{number} × {against}"))
        elif "limit" not in goal:
            found.append(Bar(label, 1 / ratio, 1 / goal["at_most"], bool(row["met"]), f"costs {number} × {against}"))
    return found


INK, FAINT, PAPER, SLOWER = "#1f2328", "#d8dee4", "#ffffff", "#fdf3ec"
GOOD, BAD = "#0969da", "#bc4c00"
STYLE: dict[Any, object] = {  # matplotlib has a type of all the names it knows
    "svg.fonttype": "none",  # text stays text: small, and to be searched and copied
    "svg.hashsalt": "dimse",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],  # the first comes with matplotlib, and no other is wider
    "font.size": 9,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}


def draw(found: Report, path: Path) -> None:
    """The bars as an SVG file, on a background of its own; the same report gives the same bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    made = bars(found["rows"])
    with rc_context(STYLE):
        figure = Canvas(figsize=(12, 1.8 + 0.23 * len(made)), layout="constrained", facecolor=PAPER)
        axes = figure.add_subplot(facecolor=PAPER)
        _plot(axes, made)
        axes.set_title("How many times as good as the best of the others", fontsize=13, fontweight="bold", pad=12)
        axes.set_xlabel(f"{found['date']}, {found['machine']}, medians of {found['runs']}", fontsize=8, labelpad=8)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _plot(axes: Axes, made: Sequence[Bar]) -> None:
    places = range(len(made))
    colours = [GOOD if bar.is_met else BAD for bar in made]
    axes.set_xscale("log")
    axes.barh(places, [bar.ratio - 1 for bar in made], left=1, color=colours, height=0.62, zorder=3)
    axes.scatter([bar.goal for bar in made], places, marker="D", s=24, color=INK, edgecolor=PAPER, linewidth=0.8, zorder=4)
    axes.axvline(1, color=INK, linewidth=1, zorder=5)
    _scale(axes)
    axes.set_yticks(places, [bar.label for bar in made])
    axes.set_ylim(len(made) - 0.4, -0.6)
    words = axes.twinx()
    words.set_ylim(axes.get_ylim())
    words.set_yticks(places, [bar.words for bar in made])
    for tick, colour in zip(words.get_yticklabels(), colours, strict=True):
        tick.set_color(colour)
    for each in (axes, words):
        each.tick_params(axis="both", which="both", length=0)
        each.spines[:].set_visible(False)
    _legend(axes)


def _scale(axes: Axes) -> None:
    """Ticks at 1, 2 and 5, above and below; what is slower is shaded."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    least, most = axes.get_xlim()
    axes.set_xlim(least, most)
    axes.axvspan(least, 1, color=SLOWER, zorder=0)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda times, _: f"{times:g}"))
    axes.tick_params(axis="x", top=True, labeltop=True)
    axes.grid(color=FAINT, linewidth=0.5, zorder=1)


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    diamond = Line2D([], [], marker="D", markersize=5, color=INK, linestyle="none", label="the goal")
    kinds = [Patch(color=GOOD, label="goal met"), Patch(color=BAD, label="goal missed"), Patch(color=SLOWER, label="worse than the best")]
    axes.figure.legend(handles=[*kinds, diamond], loc="outside lower center", ncols=4, frameon=False)
