"""Small files that promise too much are rejected at once, in little memory."""

import pytest

from tests.fuzz.bombs import Verdict, verdicts

# A busy machine is slower than the limits that `python -m tests.fuzz.bombs` holds to.
_MOST_MILLISECONDS = 2000


def test_every_bomb_is_rejected_fast_and_in_little_memory() -> None:
    found: dict[str, tuple[int, Verdict]] = {}

    def remember(name: str, size: int, verdict: Verdict) -> None:
        assert name not in found
        found[name] = (size, verdict)

    verdicts(remember)
    assert len(found) > 50
    for name, (size, verdict) in found.items():
        assert size < 500_000, name
        assert verdict.reason not in (None, "out-of-memory", "decoder-crash"), name
        assert verdict.milliseconds < _MOST_MILLISECONDS, name
        assert verdict.megabytes < 200, name


@pytest.mark.parametrize(
    ("verdict", "harmless"),
    [
        (Verdict("image-too-large", 3.0, 1.0), True),
        (Verdict(None, 3.0, 1.0), False),
        (Verdict("decode-failed", 51.0, 1.0), False),
        (Verdict("decode-failed", 3.0, 201.0), False),
    ],
)
def test_a_bomb_is_harmless_when_it_is_rejected_within_both_limits(
    verdict: Verdict, harmless: bool
) -> None:
    assert verdict.harmless is harmless
