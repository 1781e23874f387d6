"""Draws `growth`: `python -m benchmarks.growth_plot benchmarks/results/growth.json docs/images/growth.svg`."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LIMIT = 120
POLICYS_HALF_INTERVAL_SECONDS = 3.75
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8f5db7")
GREY = "#777777"

Point = dict[str, Any]
Value = Callable[[Point], float | None]


def draw(points: Sequence[Point], file: Path) -> None:
    """Draw the points of `growth`, as they stand in its JSON, into an SVG file."""
    # Text stays text, and the same numbers give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 9}):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        orders, requests, lag = figure.subplots(1, 3)
        _orders(orders, points)
        _panel(requests, points, "requests an order", lambda point: point["requests_an_order"])
        _panel(lag, points, "seconds from an order's end to knowing it", _lag)
        lag.axhline(POLICYS_HALF_INTERVAL_SECONDS, color=GREY, linestyle=":", label="half the policy's interval")
        for axes in (orders, requests, lag):
            # Last, since it ends the scaling to what is drawn.
            axes.set_ylim(bottom=0)
            axes.legend(frameon=False, fontsize=7)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, format="svg", metadata={"Date": None})


def _orders(axes: Axes, points: Sequence[Point]) -> None:
    _panel(axes, points, "orders a minute", lambda point: point["orders_a_minute"])
    axes.axhline(LIMIT, color=GREY, linestyle="-", label="the provider's limit")
    for colour, workers in zip(COLOURS, _workers(points), strict=False):
        _line(axes, _of(points, workers), lambda point: point["bound"], color=colour, linestyle="--", linewidth=0.8)
    axes.plot([], [], color=GREY, linestyle="--", linewidth=0.8, label="bound: the limit less our polling")


def _panel(axes: Axes, points: Sequence[Point], title: str, value: Value) -> None:
    for colour, workers in zip(COLOURS, _workers(points), strict=False):
        label = f"{workers} worker{'s' if workers > 1 else ''}"
        _line(axes, _of(points, workers), value, color=colour, marker="o", markersize=4, label=label)
    counts = sorted({point["in_flight"] for point in points})
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("orders under way at the provider")
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _line(axes: Axes, points: Sequence[Point], value: Value, **style: Any) -> None:
    known = [(point["in_flight"], height) for point in points if (height := value(point)) is not None]
    axes.plot([count for count, _ in known], [height for _, height in known], **style)


def _lag(point: Point) -> float | None:
    mean: float | None = point["lag_s"] and point["lag_s"]["mean"]
    return mean


def _workers(points: Sequence[Point]) -> list[int]:
    return sorted({point["workers"] for point in points})


def _of(points: Sequence[Point], workers: int) -> list[Point]:
    return [point for point in points if point["workers"] == workers]


if __name__ == "__main__":
    saved, wanted = map(Path, sys.argv[1:])
    draw(json.loads(saved.read_text(encoding="utf-8"))["facts"]["points"], wanted)
