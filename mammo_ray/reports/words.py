"""What a report says in sentences: sums that are checked, warnings, and the summary."""

from dataclasses import dataclass
from typing import Any

from mammo_ray.reports.runs import Run

_STATUS_WORDS = {
    "scored": "scored",
    "incomplete": "incomplete",
    "failed": "failed",
    "out_of_scope": "out of scope",
    "missing": "missing",
}


@dataclass(frozen=True)
class Sum:
    """One line of bookkeeping: a whole and the parts that must add up to it."""

    run: str
    whole: tuple[str, int]
    parts: tuple[tuple[str, int], ...]

    @property
    def holds(self) -> bool:
        """Whether the parts add up."""
        return self.whole[1] == sum(count for _, count in self.parts)


def sums_of(run: Run) -> list[Sum]:
    """The sums that the counts of a run must satisfy; those whose counts are absent are left out.

    seen = rows + excluded + rejected; planned = done + rejected; the rejections of all stages add
    up; exams = the exams of every status.
    """
    counts = run.counts
    done = "scored" if run.command == "score" else "prepared"
    candidates = [
        (
            "files seen",
            "seen",
            {"images": "rows", "left out by a rule": "excluded", "rejected": "rejected"},
        ),
        ("images planned", "planned", {done: "done", "rejected": "rejected"}),
        ("rejected in all", "rejected_in_all", {"before": "rejected_before", "here": "rejected"}),
        ("exams", "exams", {w: f"exams_{s}" for s, w in _STATUS_WORDS.items()}),
    ]
    found = []
    for label, whole, parts in candidates:
        known = {word: key for word, key in parts.items() if key in counts}
        needed = len(parts) if whole != "exams" else 1
        if whole in counts and len(known) >= needed:
            present = tuple((word, counts[key]) for word, key in known.items())
            found.append(Sum(run.name or run.command, (label, counts[whole]), present))
    return found


def warnings_of(runs: list[Run], sums: list[Sum]) -> list[str]:
    """What must be read before anything else on the page."""
    found = []
    for run in runs:
        where = f"{run.command} run" + (f" in “{run.name}”" if run.name else "")
        if not run.complete:
            found.append(
                f"The {where} is incomplete: it has no _SUCCESS. What this page says of it is not "
                "the whole; start its command again to finish it."
            )
        if run.exit_code == 3:
            found.append(
                f"In the {where}, more images were rejected than the configuration allows."
            )
        elif run.exit_code:
            found.append(f"The {where} failed (exit code {run.exit_code}).")
    found += [
        f"The counts of “{line.run}” do not add up: {line.whole[0]} {line.whole[1]}, "
        f"but its parts make {sum(count for _, count in line.parts)}."
        for line in sums
        if not line.holds
    ]
    return found


def summary_of(runs: list[Run], evaluation: list[str]) -> list[str]:
    """What was done and what came out, one sentence each.

    Args:
        runs: in the order of the flow.
        evaluation: from `evaluation_sentences`; the first is the headline.
    """
    sentences = []
    for run in runs:
        words = _SENTENCES.get(run.command)
        if words and run.counts:
            sentences.append(words(run.counts))
    commands = [run.command for run in runs]
    sentences += [
        f"{commands.count(command)} {command} runs lie here: the sections below show the latest."
        for command in dict.fromkeys(commands)
        if commands.count(command) > 1
    ]
    return [*sentences, *evaluation[:1]]


def levels_of(evaluation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The numbers of images, breasts and exams, those that `evaluate_scores` gave."""
    levels = {"images": evaluation, **{n: evaluation.get(n) for n in ("breasts", "exams")}}
    return {name: numbers for name, numbers in levels.items() if numbers}


def evaluation_sentences(evaluation: dict[str, Any]) -> list[str]:
    """How good the scores are, on how many women, and whether that can be told from chance.

    Args:
        evaluation: from `evaluation.metrics.evaluate_scores`, with `scores_of` (whose scores).
    """
    found = []
    for level, numbers in levels_of(evaluation).items():
        whose = f" ({evaluation['scores_of']})" if evaluation.get("scores_of") else ""
        found.append(
            f"By {level}, over {counted(numbers['women'], 'woman', 'women')}{whose}, "
            f"{numbers['women_with_cancer']:,} of them with cancer: {numbers['statement']}."
        )
    return found


def training_sentence(history: list[dict[str, Any]]) -> str:
    """How long the training went, and which epoch was kept."""
    best = [entry for entry in history if entry.get("best")]
    length = counted(len(history), "epoch")
    if not best:
        return f"Trained for {length}."
    auc = best[-1].get("valid_auc")
    judged = f", where the ROC AUC on the validation women was {auc:.3f}" if auc is not None else ""
    return f"Trained for {length}; the weights of epoch {best[-1]['epoch']} were kept{judged}."


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: `1 exam`, `12,000 exams`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def _manifest_sentence(counts: dict[str, int]) -> str:
    women, positive = counts.get("women"), counts.get("positive")
    of = f" of {counted(women, 'woman', 'women')}" if women else ""
    cancer = f", {positive:,} of the images with cancer" if positive else ""
    return (
        f"{counted(counts.get('seen', 0), 'file')} seen: "
        f"{counted(counts.get('rows', 0), 'image')}{of}{cancer}; "
        f"{counts.get('excluded', 0):,} left out by a rule, "
        f"{counts.get('rejected', 0):,} rejected."
    )


def _prepare_sentence(counts: dict[str, int]) -> str:
    done = counted(counts.get("done", 0), "image")
    return f"{done} prepared, {counts.get('rejected', 0):,} rejected."


def _train_sentence(counts: dict[str, int]) -> str:
    sides = (
        f"{counts[f'{side}_women']:,} women to {verb}"
        for side, verb in (
            ("train", "train on"),
            ("valid", "choose the best epoch"),
            ("test", "test"),
        )
        if f"{side}_women" in counts
    )
    return f"A model was trained: {', '.join(sides)}."


def _score_sentence(counts: dict[str, int]) -> str:
    states = (
        f"{counts[f'exams_{status}']:,} {word}"
        for status, word in _STATUS_WORDS.items()
        if counts.get(f"exams_{status}")
    )
    done, exams = counted(counts.get("done", 0), "image"), counted(counts.get("exams", 0), "exam")
    rejected = counts.get("rejected", 0)
    return f"{done} scored, {rejected:,} rejected; {exams}: {', '.join(states)}."


_SENTENCES = {
    "manifest": _manifest_sentence,
    "prepare": _prepare_sentence,
    "train": _train_sentence,
    "score": _score_sentence,
}
