"""`python -m tests.fuzz -n 200`: damage to files of all syntaxes; exit code 1 if it does harm."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from mammo_ray.dicom.sandbox import Sandbox
from tests.fuzz.campaign import CONFIG, SYNTAXES, Tally, failures, fuzz_syntax
from tests.fuzz.mutations import MUTATIONS

_OUTCOMES = ("same", "different", "rejected", "deaths", "hangs")


def main() -> int:
    """Run all syntaxes and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--cases", type=int, default=200, help="damaged files a syntax")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    heads = (*_OUTCOMES, "cut accepted", "peak MB", "slowest ms", "seconds")
    print(f"{'':14}" + "".join(f"{head:>14}" for head in heads))
    bad: list[str] = []
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as folder, Sandbox(CONFIG.memory_megabytes) as sandbox:
        for syntax, (name, _) in SYNTAXES.items():
            started = time.monotonic()
            tally = fuzz_syntax(syntax, options.cases, options.seed, sandbox, Path(folder))
            tallies[name] = tally
            numbers = (
                *(tally.outcomes[outcome] for outcome in _OUTCOMES), tally.cut_accepted,
                round(tally.peak_megabytes), round(tally.slowest_seconds * 1000),
                round(time.monotonic() - started, 1),
            )  # fmt: skip
            print(f"{name:14}" + "".join(f"{number:>14}" for number in numbers))
            bad += [f"{name}: {line}" for line in failures(tally)]
    _print_kinds(tallies)
    total = sum(sum(tally.cases.values()) for tally in tallies.values())
    print(f"\n{total} cases; the child's cap is {CONFIG.memory_megabytes} MB above its start")
    for line in bad:
        print(f"FAILED {line}")
    return 1 if bad else 0


def _print_kinds(tallies: dict[str, Tally]) -> None:
    """Silently different cases of each syntax and kind of damage, and the reasons given."""
    print("\nSilently different, of the cases of each kind:")
    print(f"{'':14}" + "".join(f"{kind:>16}" for kind in MUTATIONS))
    for name, tally in tallies.items():
        cells = [f"{tally.different[kind]} of {tally.cases[kind]}" for kind in MUTATIONS]
        print(f"{name:14}" + "".join(f"{cell:>16}" for cell in cells))
    print("\nRejected as:")
    for name, tally in tallies.items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in tally.reasons.most_common())
        print(f"{name:14}  {reasons}")


if __name__ == "__main__":
    sys.exit(main())
