"""How well triage puts critical comments first, beside simpler ways, and how fast it is.

python -m tests.benchmarks.triage --data FILE.csv

The file has a header with at least id, source, text, critical (1 or 0) and kind (complaint, praise
or other). `python -m tests.benchmarks triage` measures the speed alone, which needs no file.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from carerespond.config import lexicon_texts, rules_texts
from carerespond.domain.models import Assessment
from carerespond.domain.phrases import PhraseIndex, words_of
from carerespond.domain.rulebook import Rules, read_rules
from carerespond.domain.tone import read_lexicon, tone_of
from carerespond.domain.triage import Context, assess
from carerespond.services.scoring import Scorer
from tests.benchmarks import ranking
from tests.benchmarks.support import Figure, middle
from tests.benchmarks.words_model import held_out_scores
from tests.domain.support import post

# What somebody new to this would write down in an afternoon.
TOY = frozenset(
    (
        *("awful", "terrible", "horrible", "disgusting", "disgrace", "disgraceful", "shocking"),
        *("appalling", "poor", "bad", "worst", "worse", "rude", "ignored", "waiting", "waited"),
        *("wait", "hours", "late", "cancelled", "delay", "complaint", "complain", "angry"),
        *("upset", "pain", "died", "unsafe", "dirty", "lost", "wrong", "useless", "failed"),
        *("never", "nobody"),
    )
)
SHORT = (
    "Number {n} in the queue at the eye clinic and nobody answers the phone. Waited {n} weeks"
    " for a letter, then a text with another date. The nurse on the desk was kind and said sorry,"
    " but who reads these? I would like to know where to ask. Thank you to her all the same,"
    " she did all that she could for us."
)
STORY = (
    "On day {n} we came in through the main door at ten to nine and a receptionist found us seats."
    " My mother is 81 and does not see well. After two hours I asked how long it would be and was"
    " told that the doctor had gone to theatre. Nobody came to say so. I understand that they are"
    " busy, and the healthcare assistant who brought tea was lovely. At one o'clock her tablets"
    " were due and we had none with us. I asked again and somebody wrote it down. At {n} minutes"
    " past three we were called into a room, and the doctor listened, explained everything and"
    " wrote to our surgery. "
)
STORY_PARTS = 6
BATCH = 200
# An inbox has read its configuration long before: that import is told, and is not triage's.
LOAD = (
    "import time; first = time.process_time()\n"
    "from carerespond.config import lexicon_texts, rules_texts\n"
    "start, cpu = time.perf_counter(), time.process_time()\n"
    "from carerespond.domain.rulebook import read_rules\n"
    "from carerespond.domain.triage import assess\n"
    "rules = read_rules(rules_texts(), lexicon_texts())\n"
    "wall, end = time.perf_counter() - start, time.process_time()\n"
    "print(wall * 1000, (end - cpu) * 1000, (end - first) * 1000)"
)
NOT_COMPILED = "PYTHONDONTWRITEBYTECODE"
HEAD = ("AP", "R@10", "R@20", "R@30", "P@10", "AUC")

Row = Mapping[str, str]


def measure(given: argparse.Namespace) -> Sequence[Figure]:
    """How fast it is; needs no file."""
    rules = _shipped()
    short = [SHORT.format(n=number)[:280] for number in range(BATCH)]
    long = [STORY.format(n=number) * STORY_PARTS for number in range(BATCH // 10)]
    assert min(map(len, short)) == 280
    assert min(map(len, long)) >= 3000
    once = _seconds(short, rules)
    passes = [_seconds(short, rules) for _ in range(max(given.runs, 1))]
    stories = [_seconds(long, rules) for _ in range(max(given.runs, 1))]
    _load_ms()  # the first one writes the compiled modules
    loads = [_load_ms() for _ in range(max(given.runs, 1))]
    each = middle(passes) / len(short)
    return [
        Figure("CPU of a post of 280 characters", each * 1000, "ms", 2),
        Figure(
            "CPU of a story of 3,000 characters and more",
            middle(stories) / len(long) * 1000,
            "ms",
            10,
        ),
        Figure("import and load of triage", middle([one[0] for one in loads]), "ms", 150),
        Figure("CPU of import and load", middle([one[1] for one in loads]), "ms"),
        Figure("the same with the configuration's import", middle([one[2] for one in loads]), "ms"),
        Figure("the first 200 posts, with all that is made at need", once * 1000, "ms"),
        Figure("posts of 280 characters a CPU second", 1 / each, ">=/s", 500),
    ]


def _shipped() -> Rules:
    return read_rules(rules_texts(), lexicon_texts())


def _seconds(texts: Sequence[str], rules: Rules) -> float:
    """CPU time, so that what else the machine does is not counted."""
    start = time.process_time()
    for text in texts:
        assess(post(text), rules)
    return time.process_time() - start


def _load_ms() -> tuple[float, float, float]:
    """How long until the rules are there, the CPU time of it, and that of a whole process."""
    # As it is installed: with its modules compiled.
    environ = {name: value for name, value in os.environ.items() if name != NOT_COMPILED}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environ, capture_output=True, check=True
    )
    wall, cpu, whole = map(float, done.stdout.split())
    return wall, cpu, whole


# -- how well it ranks --------------------------------------------------------------------------


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows: list[Row] = [*csv.DictReader(file)]
    missing = {"id", "source", "text", "critical", "kind"} - set(rows[0] if rows else ())
    if missing:
        sys.exit(f"{path}: there are no columns {', '.join(sorted(missing))}.")
    return rows


def _systems(rows: Sequence[Row], assessed: Sequence[Assessment]) -> dict[str, list[float]]:
    wanted = [row["critical"] == "1" for row in rows]
    texts = [row["text"] for row in rows]
    words = [words_of(text) for text in texts]
    vader, _ = lexicon_texts()
    scorer = Scorer(_shipped(), Context())
    plain, ours = read_lexicon(vader), read_lexicon(*lexicon_texts())
    return {
        "35 keywords": [
            float(sum(word in TOY for word in set(one.plain.split()))) for one in words
        ],
        "length": [float(len(one.starts)) for one in words],
        "VADER's method": [-tone_of(one, plain).compound for one in words],
        "the same with our words": [-tone_of(one, ours).compound for one in words],
        "TF-IDF, 5 folds of this file": held_out_scores(texts, wanted),
        "carerespond, score": [one.score for one in assessed],
        "carerespond, as --score has it": [scorer.priority_score(one) for one in assessed],
    }


def _figures(scores: Sequence[float], wanted: Sequence[bool]) -> list[float]:
    return [
        ranking.average_precision(scores, wanted),
        *(ranking.recall_at(scores, wanted, share) for share in (0.1, 0.2, 0.3)),
        ranking.precision_at(scores, wanted, 0.1),
        ranking.area(scores, wanted),
    ]


def _print_table(rows: Sequence[Row], systems: Mapping[str, Sequence[float]]) -> None:
    sources = sorted({row["source"] for row in rows})
    print(f"{'critical comments':<42}" + "".join(f"{name:>7}" for name in HEAD))
    for source in ["", *(sources if len(sources) > 1 else [])]:
        places = [at for at, row in enumerate(rows) if source in ("", row["source"])]
        wanted = [rows[at]["critical"] == "1" for at in places]
        share = sum(wanted) / max(len(wanted), 1)
        print(f"{source or 'all'}: {len(places)} rows, {sum(wanted)} critical ({share:.1%})")
        for name, scores in systems.items():
            values = _figures([scores[at] for at in places], wanted)
            print(f"  {name:<40}" + "".join(f"{value:>7.3f}" for value in values))


def _print_labels(rows: Sequence[Row], assessed: Sequence[Assessment]) -> None:
    given = ["other" if one.label == "question" else one.label for one in assessed]
    f1 = ranking.f1_by_class(given, [row["kind"] for row in rows])
    told = ", ".join(f"{name} {value:.3f}" for name, value in f1.items())
    print(f"\nlabel against kind: macro-F1 {sum(f1.values()) / max(len(f1), 1):.3f} ({told})")


# -- what each part brings ----------------------------------------------------------------------


def _print_ablation(rows: Sequence[Row], assessed: Sequence[Assessment], rules: Rules) -> None:
    wanted = [row["critical"] == "1" for row in rows]
    whole = [one.score for one in assessed]
    ap, recall = _two(whole, wanted)
    print(f"\nscore without a part: what is lost of AP {ap:.3f} and R@20 {recall:.3f}")
    lost = []
    for name, fewer, concerns in _parts(rules):
        scores = [
            assess(post(row["text"]), fewer).score if concerns(one) else one.score
            for row, one in zip(rows, assessed, strict=True)
        ]
        fires = sum(concerns(one) for one in assessed)
        less, missed = _two(scores, wanted)
        lost.append((ap - less, recall - missed, fires, name))
    for less, missed, fires, name in sorted(lost, reverse=True):
        print(f"  {name:<30}{less:>+8.4f}{missed:>+8.4f}   in {fires} rows")


def _two(scores: Sequence[float], wanted: Sequence[bool]) -> tuple[float, float]:
    return ranking.average_precision(scores, wanted), ranking.recall_at(scores, wanted, 0.2)


_Part = tuple[str, Rules, Callable[[Assessment], bool]]


def _parts(rules: Rules) -> list[_Part]:
    """Every part: the rules without it, and the posts that it concerns."""

    def fires(*names: str) -> Callable[[Assessment], bool]:
        return lambda one: any(reason.rule in names for reason in one.reasons)

    parts: list[_Part] = [
        ("the tone", replace(rules, tone={**rules.tone, "weight": 0.0}), fires("tone")),
        ("the length", replace(rules, length={**rules.length, "weight": 0.0}), fires("length")),
    ]
    for kind in sorted({group.kind for group in rules.groups}):
        names = {group.group_id for group in rules.groups if group.kind == kind}
        parts.append((f"all {kind} groups", without(rules, names), fires(*names)))
    for group in rules.groups:
        name = group.group_id
        parts.append((name, without(rules, {name}), fires(name)))
    return parts


def without(rules: Rules, names: set[str]) -> Rules:
    """The rules without some groups."""
    groups = tuple(group for group in rules.groups if group.group_id not in names)
    return replace(rules, groups=groups, index=PhraseIndex([one.phrases for one in groups]))


def run(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.triage")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--runs", type=int, default=5, help="runs of what is timed")
    given = parser.parse_args(arguments)
    rows, rules = _rows(given.data), _shipped()
    start = time.process_time()
    assessed = [assess(post(row["text"]), rules) for row in rows]
    seconds = time.process_time() - start
    _print_table(rows, _systems(rows, assessed))
    _print_labels(rows, assessed)
    _print_ablation(rows, assessed, rules)
    print()
    figures = [
        *measure(given),
        Figure("rows of this file a CPU second", len(rows) / seconds, ">=/s"),
    ]
    for figure in figures:
        print(figure)
    return int(not all(figure.is_met for figure in figures))


if __name__ == "__main__":
    sys.exit(run())
