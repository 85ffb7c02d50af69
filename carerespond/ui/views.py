"""Pages to read: sources and cost, sends, drafts."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from textual.content import Content

from carerespond.domain.models import Draft, Gap, Reply, Source, Spend
from carerespond.domain.text import clean, one_line
from carerespond.services.status import unheard_since
from carerespond.ui.content import ago, clock, content
from carerespond.ui.detail import state_words
from carerespond.ui.headlines import WELL

_BLANK = Content("")


def sources_content(
    sources: Sequence[Source], gaps: Sequence[Gap], spend: Spend | None, now: datetime
) -> Content:
    """Each source: how it does and since when, last answer, last post, what it found."""
    lines: list[Content] = []
    names: dict[str, str] = {}
    is_whole = True
    for source in sources:
        names[source.source_id] = source.name
        unheard = unheard_since(source, now)
        is_whole = is_whole and unheard is None
        how = source.health.value if unheard is None else "not listened to"
        head = f"{how.upper():<15} {one_line(source.name, 50)}"
        is_well = unheard is None and source.health in WELL
        lines.append(content(head) if is_well else content(head, "bold"))
        facts = [f"since {_at(unheard or source.since_at, now)}"]
        facts.append(f"last answer {_at(source.last_ok_at, now)}")
        facts += [f"last post {_at(source.last_post_at, now)}", f"found {source.found}"]
        lines.append(content(f"{'':<15} {', '.join(facts)}"))
        if source.message:
            lines.append(content(f"{'':<15} {clean(source.message)}"))
    if not sources:
        lines.append(Content("Nothing is listened to yet."))
    lines += [_BLANK, *_gaps(gaps, names, now, is_whole=is_whole), *_spend(spend)]
    return Content("\n").join(lines)


def _at(moment: datetime | None, now: datetime) -> str:
    return clock(moment, now) if moment is not None else "never"


def _gaps(
    gaps: Sequence[Gap], names: Mapping[str, str], now: datetime, *, is_whole: bool
) -> list[Content]:
    if not gaps and not is_whole:
        return [Content("No gaps are known, but not every source is listened to now.")]
    if not gaps:
        return [Content("No gaps: every stretch of time was looked at.")]
    lines = [Content("GAPS: nobody looked at these; posts may have been missed.").stylize("bold")]
    for gap in gaps:
        name = one_line(names.get(gap.source_id, gap.source_id), 40)
        lines.append(content(f"  {name}: {clock(gap.from_at, now)} to {clock(gap.to_at, now)}"))
    return lines


def _spend(spend: Spend | None) -> list[Content]:
    if spend is None:
        return []
    day = f" of ${spend.daily_budget:.2f}" if spend.daily_budget else ", no daily budget is set"
    month = f" of ${spend.monthly_budget:.2f}" if spend.monthly_budget else ", no monthly budget"
    return [
        _BLANK,
        content(f"COST today (UTC) ${spend.today:.4f}{day}; this month ${spend.month:.4f}{month}"),
    ]


def sends_content(rows: Sequence[Reply], now: datetime) -> Content:
    """The newest sends: state, when, who, to whom, the words, the problem."""
    if not rows:
        return Content("Nothing has been sent from here yet.")
    lines: list[Content] = []
    for row in rows:
        at = clock(row.finished_at or row.queued_at, now)
        head = f"{state_words(row):<11} {at:<12} {one_line(row.operator, 20)}"
        lines.append(content(f"{head} to @{one_line(row.handle, 30)}").stylize("bold"))
        lines.append(content(f"    {one_line(row.text, 200)}"))
        if row.remote_id:
            lines.append(content(f"    its id on {row.network}: {one_line(row.remote_id, 40)}"))
        if row.problem:
            lines.append(content(f"    {clean(row.problem)}"))
    return Content("\n").join(lines)


def draft_label(draft: Draft, handle: str, now: datetime) -> str:
    """One draft on one line."""
    when = ago(draft.saved_at, now)
    kind = "note" if draft.kind == "note" else "answer"
    return f"{kind} to @{one_line(handle, 20)}, {when}: {one_line(draft.text, 40)}"
