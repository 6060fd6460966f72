"""Figures as PNG bytes, readable in print and by colour-blind readers.

Colours are those of Okabe and Ito (2008, Color Universal Design); lines differ by dash as well.
Every figure is its own object on the Agg canvas and carries its own style: nothing global is
touched, so that figures can be drawn in any thread of any process.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

_BLUE, _ORANGE, _VERMILION, _GRAY = "#0072B2", "#E69F00", "#D55E00", "#5B6470"
_DOTS_PER_INCH = 160
_BINS = 25
_LINE = 2.0
_THIN_LINE = 1.4


def plot_history(history: list[dict[str, Any]]) -> bytes:
    """Loss and AUC by epoch, training and validation, with the kept epoch marked.

    Args:
        history: one entry an epoch with `epoch` and any of `loss`, `valid_loss`, `auc`,
            `valid_auc`, and `best` (true for an epoch better than those before it).
    """
    frame = pd.DataFrame(history)
    titles = {"loss": "Loss", "auc": "ROC AUC"}
    shown = [name for name in titles if {name, f"valid_{name}"} & set(frame.columns)]
    figure = Figure(
        figsize=(4.6 * max(len(shown), 1), 3.6), dpi=_DOTS_PER_INCH, layout="constrained"
    )
    kept = frame.loc[frame["best"].eq(True), "epoch"].max() if "best" in frame else None
    for place, name in enumerate(shown, start=1):
        axes = _styled(figure.add_subplot(1, len(shown), place), titles[name], "epoch", "")
        _draw_epochs(axes, frame, name)
        if pd.notna(kept):
            axes.axvline(kept, color=_GRAY, linestyle=":", linewidth=_THIN_LINE, label="kept")
        axes.legend(frameon=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return _png(figure)


def plot_roc(numbers: dict[str, Any]) -> bytes:
    """ROC curve with the AUC and its interval, and the diagonal of chance.

    Args:
        numbers: from `evaluation.metrics.judge`; both labels stand in it.
    """
    figure, axes = _square("ROC curve", "1 - specificity", "sensitivity")
    auc = numbers["roc_auc"]
    label = f"AUC {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})"
    curve = numbers["roc_curve"]
    axes.plot([0, 1], [0, 1], color=_GRAY, linestyle="--", linewidth=_THIN_LINE, label="chance")
    axes.plot(
        curve["false_positive_rate"], curve["sensitivity"],
        color=_BLUE, linewidth=_LINE, label=label,
    )  # fmt: skip
    axes.legend(loc="lower right", frameon=False)
    return _png(figure)


def plot_precision_recall(numbers: dict[str, Any]) -> bytes:
    """Precision over recall, and the share with cancer, which is what chance would reach.

    Args:
        numbers: from `evaluation.metrics.judge`; both labels stand in it.
    """
    figure, axes = _square("Precision and recall", "recall (sensitivity)", "precision")
    curve = numbers["precision_recall_curve"]
    share = numbers["prevalence"]
    axes.axhline(
        share, color=_GRAY, linestyle="--", linewidth=_THIN_LINE, label=f"chance {share:.2f}"
    )
    label = f"average precision {numbers['average_precision']:.2f}"
    axes.plot(
        curve["recall"], curve["precision"],
        color=_BLUE, linewidth=_LINE, drawstyle="steps-post", label=label,
    )  # fmt: skip
    axes.legend(loc="upper right", frameon=False)
    return _png(figure)


def plot_confusion_matrix(numbers: dict[str, Any]) -> bytes:
    """Counts of recorded against predicted, shaded by the share of each recorded label.

    Args:
        numbers: from `evaluation.metrics.judge`.
    """
    matrix = np.array(numbers["confusion_matrix"])
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    title = f"Confusion matrix at threshold {numbers['threshold']:g}"
    figure, axes = _square(title, "predicted", "recorded")
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.25)
    axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5))
    axes.set_xticks([0, 1], ["no cancer", "cancer"])
    axes.set_yticks([0, 1], ["no cancer", "cancer"], rotation=90, va="center")
    for (row, column), count in np.ndenumerate(matrix):
        share = shares[row, column]
        axes.text(
            column, row, f"{count:,}\n{share:.0%}", ha="center", va="center", fontsize=14,
            color="white" if share > 0.7 else "black",
        )  # fmt: skip
    return _png(figure)


def plot_score_histogram(
    scores: "pd.Series[float]", cancer: "pd.Series[int] | None" = None
) -> bytes:
    """How many images or exams have which score; with labels, the share of each label.

    Args:
        scores: (N,) from 0 to 1, no nulls.
        cancer: (N,) 1 or 0, aligned with the scores.
    """
    figure = _figure(6.0, 3.8)
    count_name = "count" if cancer is None else "share of its label"
    axes = _styled(figure.add_subplot(), "Scores", "score", count_name)
    axes.set_xlim(0, 1)
    if cancer is None:
        axes.hist(scores, _BINS, range=(0, 1), color=_BLUE)
        return _png(figure)
    for value, name, color, hatch in ((0, "no cancer", _BLUE, ""), (1, "cancer", _ORANGE, "//")):
        chosen = scores[cancer == value]
        if len(chosen):
            axes.hist(
                chosen, _BINS, range=(0, 1), weights=np.full(len(chosen), 1 / len(chosen)),
                color=color, edgecolor=color, alpha=0.5, hatch=hatch, histtype="stepfilled",
                label=f"{name} ({len(chosen):,})",
            )  # fmt: skip
    axes.legend(frameon=False)
    return _png(figure)


def display_images(
    pixels: Sequence[npt.NDArray[Any]], titles: Sequence[str], columns: int = 4
) -> bytes:
    """A grid of gray images with a title each.

    Args:
        pixels: arrays (H, W), uint8 or uint16, shown over the full range of their type.
        titles: one for each image.
        columns: images a row.
    """
    rows = max(-(-len(pixels) // columns), 1)
    figure = _figure(2.4 * columns, 2.75 * rows)
    for place, (image, title) in enumerate(zip(pixels, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(image, cmap="gray", vmin=0, vmax=np.iinfo(image.dtype).max)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    return _png(figure)


EVALUATION_FIGURES = ("scores", "roc", "precision_recall", "confusion_matrix")


def evaluation_figures(evaluation: dict[str, Any], frame: pd.DataFrame) -> dict[str, bytes]:
    """The figures of an evaluation of images, by name; those that cannot be drawn are left out.

    Args:
        evaluation: from `evaluation.metrics.evaluate_scores`.
        frame: the images behind it, `score` and `cancer` (either null where unknown).
    """
    found = {}
    known = frame.dropna(subset=["cancer", "score"])
    if len(known):
        found["scores"] = plot_score_histogram(known["score"], known["cancer"])
    if evaluation["roc_curve"]:
        found["roc"] = plot_roc(evaluation)
        found["precision_recall"] = plot_precision_recall(evaluation)
    if evaluation["confusion_matrix"]:
        found["confusion_matrix"] = plot_confusion_matrix(evaluation)
    return found


def _draw_epochs(axes: Axes, frame: pd.DataFrame, name: str) -> None:
    lines = (
        (name, "training", _BLUE, "-", "o"),
        (f"valid_{name}", "validation", _VERMILION, "--", "s"),
    )
    for column, label, color, dash, marker in lines:
        if column in frame:
            axes.plot(
                frame["epoch"], frame[column], color=color, linestyle=dash, linewidth=_LINE,
                marker=marker, markersize=4, label=label,
            )  # fmt: skip
    if name == "auc":
        axes.set_ylim(0, 1.02)


def _figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, with a margin."""
    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, wspace=0.05)
    return Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout=engine)


def _square(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """An empty square panel from 0 to 1."""
    figure = _figure(4.8, 4.8)
    axes = _styled(figure.add_subplot(), title, x, y)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    return figure, axes


def _styled(axes: Axes, title: str, x: str, y: str) -> Axes:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.set_xlabel(x, fontsize=11)
    axes.set_ylabel(y, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GRAY)
    axes.grid(color="#E3E6EA")
    axes.set_axisbelow(True)
    return axes


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
