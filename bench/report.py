"""What `bench.peers` found: as a Markdown table, as JSON, and as a chart drawn from that JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypedDict

from bench.measuring import Figure
from bench.readme import machine
from bench.rows import Goal, Row


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
        """How many times as good ours is as the best of the others; where less is the goal, how many times as much it takes."""
        if self.ours is None or self.best is None:
            return None
        ours, other = self.ours.median, self.best[1].median
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


def table(results: Sequence[Result]) -> str:
    """The Markdown table, and below it what there is to say about rows."""
    lines = ["| work | ours | against | theirs | ratio | goal | |", "|---|---|---|---|---|---|---|", *map(line, results)]
    notes = [
        f"- {result.row.id}: {word}" for result in results for word in (*([result.row.note] if result.row.note else []), *result.words)
    ]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def line(result: Result) -> str:
    """Its line of the table."""
    row = result.row
    best = result.best
    goal = ", ".join(filter(None, (str(row.goal), f"below {row.goal.limit:g} {row.unit}" if row.goal.limit is not None else "")))
    cells = [
        row.work,
        _cell(result.ours, row.unit),
        best[0] if best else row.others[0].name,
        _cell(best[1] if best else None, row.unit),
        "" if result.ratio is None else _number(result.ratio),
        goal,
        {True: "met", False: "**missed**", None: "not measured"}[result.is_met],
    ]
    return f"| {' | '.join(cells)} |"


def _cell(figure: Figure | None, unit: str) -> str:
    return "" if figure is None else f"{_number(figure.median)} {unit} ±{figure.spread / 2:.0%}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Saved(TypedDict):
    """A row in the JSON file."""

    id: str
    work: str
    against: str
    unit: str
    goal: dict[str, float]
    ratio: float | None
    met: bool | None
    runs: dict[str, list[float]]
    words: list[str]


def as_json(results: Sequence[Result], versions: Mapping[str, str]) -> dict[str, object]:
    """Everything that was measured, for programs."""
    return {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "versions": dict(versions), "rows": [_saved(r) for r in results]}


def _saved(result: Result) -> Saved:
    row = result.row
    goals = {"times": row.goal.times, "at_most": row.goal.at_most, "limit": row.goal.limit}
    return {
        "id": row.id,
        "work": row.work,
        "against": result.best[0] if result.best else row.others[0].name,
        "unit": row.unit,
        "goal": {name: value for name, value in goals.items() if value is not None},
        "ratio": result.ratio,
        "met": result.is_met,
        "runs": {name: list(figure.values) for name, figure in result.figures.items()},
        "words": result.notes,
    }


class Bar(NamedTuple):
    """A bar of the chart: how many times as good ours is as the best of the others, and the goal."""

    label: str
    ratio: float
    goal: float
    is_met: bool


def bars(rows: Sequence[Saved]) -> list[Bar]:
    """Those rows that are about a ratio, the other way round where less is the goal."""
    found = []
    for row in rows:
        ratio, goal = row["ratio"], row["goal"]
        if not ratio:
            continue
        label = f"{row['work']}, against {row['against']}".replace("`", "")
        if "times" in goal:
            found.append(Bar(label, ratio, goal["times"], bool(row["met"])))
        elif "at_most" in goal and "limit" not in goal:
            found.append(Bar(label, 1 / ratio, 1 / goal["at_most"], bool(row["met"])))
    return found


def draw(rows: Sequence[Saved], title: str, path: Path) -> None:
    """The bars as an SVG file."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    made = bars(rows)
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dimse", "font.size": 8}):
        figure, axes = plt.subplots(figsize=(11, 1 + 0.25 * len(made)), layout="constrained")
        places = range(len(made))
        colours = ["#2a6f97" if bar.is_met else "#c8553d" for bar in made]
        axes.barh(places, [bar.ratio - 1 for bar in made], left=1, color=colours, height=0.6)
        axes.scatter([bar.goal for bar in made], places, marker="|", color="black", s=120, label="goal", zorder=3)
        axes.set_yticks(places, [bar.label for bar in made])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.axvline(1, color="grey", linewidth=0.8)
        axes.set_xlabel("times as good as the best of the others; blue: the goal is met")
        axes.set_title(title)
        axes.legend(loc="lower right")
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)
