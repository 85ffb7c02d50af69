"""What a team's own decisions are worth: `python -m tests.benchmarks.learning --data FILE.csv`.

FILE has the columns id, text and critical (1 or 0), and perhaps source; nothing is read unless it
is named. For each size, decisions are drawn from the file and the order of all other posts is
measured, with and without what was learned from them: the mean of four draws. AP is the mean,
over critical posts, of the precision of the list down to each; R@20 is the share of them that
stands in its first fifth.

`--corrections` draws only posts that the rules have put into the wrong pane, from one half of the
file, and measures the other half: a team moves what stands wrong, and leaves the rest alone.
"""

import argparse
import csv
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from carerespond.config import lexicon_texts, rules_texts
from carerespond.domain.learning import Decision, Features, Learned, is_enough, learn, points_of
from carerespond.domain.models import Author, Post, Priority
from carerespond.domain.rulebook import Rules, read_rules
from carerespond.domain.triage import assess, features_of

SIZES = (0, 50, 100, 200, 400, 800)
SHUFFLES = 4
RECENT = 1_000  # as many as the program levels by


@dataclass(frozen=True, slots=True)
class Row:
    source: str
    score: float
    is_flagged: bool
    features: Features
    is_critical: bool


def main() -> None:
    """Measure every source of the file, and all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--corrections", action="store_true")
    given = parser.parse_args()
    rules = read_rules(rules_texts(), lexicon_texts())
    rows = list(_read(given.data, rules))
    sources = sorted({row.source for row in rows if row.source})
    for source in ["all", *(sources if len(sources) > 1 else [])]:
        some = [row for row in rows if source in ("all", row.source)]
        critical = sum(row.is_critical for row in some)
        print(f"\n{source}: {len(some)} posts, {critical} critical")
        print("decisions  AP before  after    gain  worst |  R@20 before  after    gain")
        for size in SIZES:
            drawn = [
                _draw(some, size, seed, rules, corrections=given.corrections)
                for seed in range(1, SHUFFLES + 1)
            ]
            _show(size, drawn)
    _time(rows)


def _read(path: Path, rules: Rules) -> Iterator[Row]:
    author, at = Author("x", "1", "somebody"), datetime(2026, 11, 24, tzinfo=UTC)
    with path.open(encoding="utf-8", newline="") as file:
        for record in csv.DictReader(file):
            post = Post("x", record["id"], author, record["text"], at)
            found = assess(post, rules)
            yield Row(
                record.get("source") or "",
                found.score,
                found.priority <= Priority.TODAY,
                features_of(post, rules),
                record["critical"] == "1",
            )


def _draw(
    rows: Sequence[Row], size: int, seed: int, rules: Rules, *, corrections: bool
) -> tuple[float, float, float, float]:
    """AP before and after, R@20 before and after, of one draw."""
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)
    if corrections:
        half = len(mixed) // 2
        chosen = [row for row in mixed[:half] if row.is_flagged != row.is_critical][:size]
        rest = mixed[half:]
    else:
        chosen, rest = mixed[:size], mixed[size:]
    truth = [row.is_critical for row in rest]
    before = [row.score for row in rest]
    after = before
    learned = _learned(chosen, rest[:RECENT], rules)
    if learned is not None:
        after = [row.score + points_of(learned, row.features, rules.learning)[0] for row in rest]
    return _ap(before, truth), _ap(after, truth), _early(before, truth), _early(after, truth)


def _learned(chosen: Sequence[Row], recent: Sequence[Row], rules: Rules) -> Learned | None:
    critical = sum(row.is_critical for row in chosen)
    if not is_enough(len(chosen), critical, rules.learning):
        return None
    decisions = [Decision(row.features, row.is_critical) for row in chosen]
    return learn(decisions, [row.features for row in recent])


def _ranked(scores: Sequence[float], truth: Sequence[bool]) -> list[bool]:
    """The truth in the order of the scores; equal ones in an order of no meaning."""
    places = list(range(len(scores)))
    random.Random(0).shuffle(places)
    places.sort(key=lambda place: -scores[place])
    return [truth[place] for place in places]


def _ap(scores: Sequence[float], truth: Sequence[bool]) -> float:
    found, total = 0, 0.0
    for place, is_critical in enumerate(_ranked(scores, truth), 1):
        if is_critical:
            found += 1
            total += found / place
    return total / found if found else 0.0


def _early(scores: Sequence[float], truth: Sequence[bool]) -> float:
    ranked = _ranked(scores, truth)
    return sum(ranked[: round(len(ranked) / 5)]) / (sum(ranked) or 1)


def _show(size: int, drawn: Sequence[tuple[float, float, float, float]]) -> None:
    before, after, early, early_after = (sum(one) / len(drawn) for one in zip(*drawn, strict=True))
    worst = min(one[1] - one[0] for one in drawn)
    print(
        f"{size:9}  {before:9.3f}  {after:5.3f}  {after - before:+6.3f} {worst:+6.3f} |"
        f"  {early:11.3f}  {early_after:5.3f}  {early_after - early:+6.3f}"
    )


def _time(rows: Sequence[Row]) -> None:
    decisions = [Decision(row.features, row.is_critical) for row in rows][:6_000]
    begun = time.process_time()
    learned = learn(decisions, [row.features for row in rows[:RECENT]])
    words = len(learned.words)
    print(f"\n{len(decisions)} decisions: {time.process_time() - begun:.1f} CPU s, {words} words")


if __name__ == "__main__":
    main()
