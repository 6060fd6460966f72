"""One self-contained HTML page about a run, or about all runs below a folder."""

import re
from typing import Any

import jinja2

from mammo_ray import __version__, storage
from mammo_ray.config import ReportConfig
from mammo_ray.reports import examples, figures, tables, words
from mammo_ray.reports.runs import Run, find_runs, read_json

_EVALUATION_FIGURES = (
    (
        "roc",
        "ROC curve of the images: sensitivity over one minus specificity.",
        "How many cancers are found for how many false alarms. The dashed line is chance.",
    ),
    (
        "precision_recall",
        "Precision of the images over recall.",
        "Of the images called cancer, how many are. The dashed line is the share with cancer.",
    ),
    (
        "confusion_matrix",
        "Confusion matrix of the images: recorded against predicted.",
        "Recorded outcome against the answer at the threshold; shares are of each recorded label.",
    ),
    (
        "scores",
        "Histogram of image scores with and without cancer.",
        "How far the scores of both labels lie apart.",
    ),
)
_HEX_DIGEST = re.compile(r"[0-9a-f]{16,128}")


def write_report(folder: str, settings: ReportConfig | None = None) -> str:
    """Write `report.html` into the folder, and give its path.

    The page needs nothing but itself: style inline, pictures as data: URIs, no script, no network.
    It shows `image_id` and `exam_id`, never a patient, a study or an address of a file.

    Args:
        folder: one run folder, or a folder whose subfolders are runs.
        settings: how much is shown; None: the defaults.

    Raises:
        InputError: there is no run, or a file of one cannot be read.
    """
    target = storage.join(folder, "report.html")
    storage.write_text(target, render_page(find_runs(folder), settings or ReportConfig()))
    return target


def render_page(runs: list[Run], settings: ReportConfig) -> str:
    """The page about these runs as HTML text."""
    sums = [line for run in runs for line in words.sums_of(run)]
    evaluation = _evaluation(_latest(runs, "evaluate"))
    context = {
        "version": __version__,
        "warnings": words.warnings_of(runs, sums),
        "summary": words.summary_of(runs, evaluation["sentences"] if evaluation else []),
        "sums": sums,
        "exams": _exams(_latest(runs, "score"), settings.exams),
        "rejections": _rejections(runs, settings.rejections),
        "exclusions": tables.count_exclusions(_latest(runs, "manifest")),
        "history": _history(_latest(runs, "train")),
        "evaluation": evaluation,
        "examples": _examples(_latest(runs, "prepare"), _latest(runs, "score"), settings.examples),
        "runs": [_facts(run) for run in runs],
    }
    return page_environment().get_template("report.html.j2").render(context)


def _latest(runs: list[Run], command: str) -> Run | None:
    """The run of a command that started last; each section of the page speaks of one run."""
    found = [run for run in runs if run.command == command]
    return max(found, key=lambda run: str(run.record.get("started", "")), default=None)


def page_environment() -> jinja2.Environment:
    """Where templates come from, and the filters that they use."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mammo_ray.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["fixed"] = lambda number: "none" if number is None else f"{number:.3f}"
    return environment


def _exams(run: Run | None, most: int) -> dict[str, Any] | None:
    """Exams by status, the top of the worklist, and how scores are spread."""
    exams = tables.read_exams(run) if run else None
    if run is None or exams is None:
        return None
    scores = exams["score"].dropna()
    return {
        "protocol": run.record.get("protocol"),
        "total": len(exams),
        "statuses": tables.count_statuses(exams),
        "worklist": tables.read_worklist(run, len(exams), most),
        "histogram": _picture(figures.plot_score_histogram(scores)) if len(scores) else None,
    }


def _rejections(runs: list[Run], most: int) -> dict[str, Any]:
    frame = tables.read_rejections(runs)
    return {
        "reasons": tables.count_rows(frame, ["stage", "reason"]),
        "rows": tables.first_rows(frame, most),
    }


def _history(run: Run | None) -> dict[str, Any] | None:
    history = read_json(run, "history.json") if run else None
    if not isinstance(history, list) or not history:
        return None
    return {
        "picture": _picture(figures.plot_history(history)),
        "sentence": words.training_sentence(history),
    }


def _evaluation(run: Run | None) -> dict[str, Any] | None:
    """The numbers of every level, their words, and the figures that the evaluation left."""
    evaluation = read_json(run, "evaluation.json") if run else None
    if run is None or not isinstance(evaluation, dict):
        return None
    return {
        "whose": evaluation.get("scores_of"),
        "sentences": words.evaluation_sentences(evaluation),
        "notes": evaluation.get("notes") or [],
        "levels": words.levels_of(evaluation),
        "figures": [
            {
                "picture": _picture(storage.read_bytes(run.path(f"{name}.png"))),
                "alternative": alternative,
                "caption": caption,
            }
            for name, alternative, caption in _EVALUATION_FIGURES
            if run.has(f"{name}.png")
        ],
    }


def _examples(prepared: Run | None, scored: Run | None, each: int) -> dict[str, Any] | None:
    """Example images by group, or why there are none."""
    if prepared is None and scored is None:
        return None
    if prepared is None:
        return {"groups": {}, "why": "No prepared images lie under this folder."}
    scores = examples.read_scores(scored) if scored else None
    groups: dict[str, list[examples.Example]] = {}
    for example in examples.read_examples(prepared, scores, each):
        groups.setdefault(example.group, []).append(example)
    return {"groups": groups, "why": None if groups else "No image was prepared."}


def _facts(run: Run) -> dict[str, Any]:
    """How a run was made: configuration, versions, digests and times."""
    record = run.record
    given = {**(record.get("inputs") or {}), **(record.get("outputs") or {})}
    # Only digests: any other value may be an address, and addresses may carry identifiers.
    digests = {name: text for name, text in given.items() if _HEX_DIGEST.fullmatch(str(text))}
    timings = {"in all": record.get("seconds", 0.0), **(record.get("timings") or {})}
    seconds = {name.removesuffix("_seconds"): f"{value:,.1f} s" for name, value in timings.items()}
    config = run.path("config.yaml")
    return {
        "name": run.name,
        "command": run.command,
        "complete": run.complete,
        "exit_code": run.exit_code,
        "started": record.get("started"),
        "seconds": record.get("seconds"),
        "tables": [
            ("Counts", {name: f"{value:,}" for name, value in run.counts.items()}),
            ("Times", seconds if record else {}),
            ("Versions", record.get("versions") or {}),
            ("Digests of what went in and came out", digests),
        ],
        "config": storage.read_bytes(config).decode() if storage.exists(config) else None,
    }


def _picture(png: bytes) -> str:
    return examples.data_uri(png)
