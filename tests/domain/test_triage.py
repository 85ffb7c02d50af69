import math
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain.models import Assessment, Post, Priority
from carerespond.domain.triage import Context, assess, explain, misfits
from tests.domain.support import NOW, author, changed_rules, post, shipped_rules

# Sentences of our own; what a person at the desk would say about each.
URGENT = (
    "I can't go on any more and the crisis team won't answer",
    "told them i want to die, they said ring back monday",
    "Chest pain since 4am, should I go to A&E?",
    "dad still waiting for the ambulance, lips going blue",
    "a carer slapped my nan at the home. She is frightened of the staff",
    "Mum was found lying in her own urine. Again.",
    "they've given my son someone else's tablets",
    "Ran out of insulin, surgery says next week??",
    "my wife is getting worse by the hour and nobody will come",
    "i dont trust myself at home tonight",
    "bleeding, 10 weeks pregnant, nobody picks up",
    "Lovely. Great. I can't breathe and my chest is tight",
    "thank you amazing brilliant team. dad collapsed, send help now",
    "#killmyself",
    "I want to kill \u2764\ufe0f myself",
    "I know where you park. Watch your back",
    "Mae fy mrawd eisiau marw a does neb yn ateb",
    "No sleep. No hope. Better off dead tbh",
    "14 hours in a&e with a 90 year old on a trolley, disgusting, nobody told us a thing",
)
TODAY_OR_MORE = (
    "My mum died on your ward and nobody has rung us",
    "Waited 6 hours, rude receptionist, then sent home. Disgraceful",
    "op cancelled for the third time this year, fed up of being ignored",
    "absolute shambles, can't get through on the phone and no appointments until march",
    "wrong tooth out. Speaking to a solicitor",
    "roedd y staff yn anghwrtais a dim ateb i'r ffôn am oriau, gwarthus",
)
SOON_OR_MORE = (
    "the wait was so long",
    "Lovely nurses, shame about the parking",
    "I understand they're busy but two weeks for a call back",
    "@StElsewhere what time does the eye clinic open",
    "how do i change my appointment",
    "@StElsewhere thank you for the lift home, wondered if you found my scarf",
    "@StElsewhere just been up to the ward",
    "Great staff but nobody answers the phone",
    "nobody rang me back",
)
PRAISE = (
    "Thank you to everyone on ward 7, amazing care",
    "she saved my life, I nearly died",
    "When I had chest pains the paramedics were brilliant and so kind. Thank you all so much",
    "Cancer is frightening, the chemo nurses are angels",
    "can't fault the staff at the dental clinic, no wait at all",
    "My dad passed away last night. Thank you to the hospice nurses for such kindness",
    "Thank you to everyone, the meals were so big I can't eat it all",
    "worst day of my life, and the ward made it bearable. Thank you thank you",
    "Diolch o galon i bawb ar y ward, staff hyfryd",
    "so kind I was moved to tears",
)
WATCH = (
    "Hospital trust publishes annual report https://news.example/a",
    "We're hiring! Staff nurse, apply now https://jobs.example/1",
    "Use code SMILE for a discount on whitening, link in bio",
    "Council says new health centre will open in spring",
    "dying to know who wins tonight",
    "St Elsewhere was a good band name",
)


def judge(text: str, context: Context | None = None, **more: Any) -> Assessment:
    if "@StElsewhere" in text:
        more.setdefault("mentions_us", True)
    return assess(post(text, **more), shipped_rules(), context or Context())


@pytest.mark.parametrize("text", URGENT)
def test_what_cannot_wait_is_urgent(text: str) -> None:
    assert judge(text).priority is Priority.URGENT


@pytest.mark.parametrize("text", TODAY_OR_MORE)
def test_what_hurts_is_for_today(text: str) -> None:
    assert judge(text).priority <= Priority.TODAY
    assert judge(text).label == "complaint"


@pytest.mark.parametrize("text", SOON_OR_MORE)
def test_what_wants_an_answer_is_not_left_to_watch(text: str) -> None:
    assert judge(text).priority <= Priority.SOON


@pytest.mark.parametrize("text", PRAISE)
def test_thanks_are_praise_even_with_alarming_words(text: str) -> None:
    assessed = judge(text)
    assert assessed.priority is Priority.PRAISE, assessed.reasons
    assert assessed.label == "praise"


@pytest.mark.parametrize("text", WATCH)
def test_noise_is_only_watched(text: str) -> None:
    assert judge(text).priority is Priority.WATCH


def test_every_sentence_in_the_rules_does_what_the_file_says() -> None:
    assert misfits(shipped_rules()) == []


def test_every_group_is_tried_both_ways() -> None:
    untried = [
        group.group_id
        for group in shipped_rules().groups
        if not (group.must_match and group.must_not_match)
    ]
    assert untried == []


def test_a_sentence_that_does_not_fit_its_group_is_found() -> None:
    right, wrong = 'must_match = ["Open on Sundays?"]', 'must_match = ["Open on Sundays"]'
    broken = changed_rules(lambda text: text.replace(right, wrong))
    assert len(misfits(broken)) == 1


# -- properties --------------------------------------------------------------------------------

VOCABULARY = sorted(
    {
        word
        for text in (*URGENT, *TODAY_OR_MORE, *SOON_OR_MORE, *PRAISE, *WATCH)
        for word in text.split()
    }
)
POSTS = st.builds(
    lambda words, named, link, followers: post(
        " ".join(words),
        mentions_us=named,
        has_link=link,
        author=author(followers=followers),
    ),
    st.lists(st.sampled_from(VOCABULARY) | st.text(max_size=12), max_size=40),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 10**9),
)
CONTEXTS = st.builds(
    Context,
    now=st.just(NOW),
    names_us=st.booleans(),
    service_names=st.just(("Ward 7",)),
    seen_before=st.integers(0, 50),
    wrote_again=st.booleans(),
    followers=st.none() | st.integers(0, 10**9),
    targets=st.sampled_from(({}, {"today": 60.0, "soon": 60.0}, {"urgent": 480.0})),
)


@given(POSTS, CONTEXTS)
def test_points_add_up_and_reasons_stand_strongest_first(one: Post, context: Context) -> None:
    assessed = assess(one, shipped_rules(), context)
    assert math.isclose(
        sum(reason.points for reason in assessed.reasons), assessed.score, abs_tol=1e-6
    )
    pins = {group.group_id for group in shipped_rules().groups if group.is_pin}
    order = [(reason.rule not in pins, -abs(reason.points)) for reason in assessed.reasons]
    assert order == sorted(order)
    assert all(reason.text and reason.points for reason in assessed.reasons)


@given(POSTS, CONTEXTS)
def test_the_same_post_is_always_assessed_the_same(one: Post, context: Context) -> None:
    assert assess(one, shipped_rules(), context) == assess(one, shipped_rules(), context)


@given(POSTS, CONTEXTS)
def test_a_pinned_risk_is_urgent_and_first_whatever_else_is_known(
    one: Post, context: Context
) -> None:
    risky = replace(one, text=f"I want to die. {one.text}")
    assessed = assess(risky, shipped_rules(), context)
    assert assessed.is_pinned
    assert assessed.priority is Priority.URGENT
    assert assessed.label == "complaint"
    assert assessed.reasons[0].rule.startswith("risk_")


@given(POSTS, CONTEXTS)
def test_knowing_more_against_waiting_never_lowers_the_score(one: Post, context: Context) -> None:
    scores = [
        assess(one, shipped_rules(), replace(context, wrote_again=again, seen_before=seen)).score
        for again, seen in ((False, 0), (True, 0), (True, 3), (True, 300))
    ]
    assert scores == sorted(scores)
    assert scores[-1] - scores[0] <= 2.0


@given(POSTS, CONTEXTS)
def test_the_reasons_alone_explain_the_pane(one: Post, context: Context) -> None:
    placed = assess(one, shipped_rules(), context)
    found = explain(placed, one, shipped_rules())
    assert (found.priority, bool(found.why)) == (placed.priority, True)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_groups_and_phrases_has_no_meaning(seed: int) -> None:
    def shuffle(text: str) -> str:
        head, *groups = re.split(r"(?m)^(?=\[\[group\]\])", text)
        random.Random(seed).shuffle(groups)
        return head + "".join(groups)

    shuffled = changed_rules(shuffle)
    for sentence in (*URGENT, *SOON_OR_MORE, *PRAISE, *WATCH):
        assert assess(post(sentence), shuffled) == assess(post(sentence), shipped_rules())


def test_twelve_followers_and_abuse_stand_above_a_million_and_a_queue() -> None:
    few = judge("a carer slapped my nan", author=author(followers=12))
    many = judge("the wait was so long", author=author(followers=1_000_000))
    assert few.score > many.score + 1


def test_waiting_is_even_until_the_target_then_steeper_and_has_an_end() -> None:
    def waited(minutes: int) -> float:
        context = Context(now=NOW, targets={"soon": 100.0, "today": 100.0})
        return judge("the wait was so long", context, minutes=-minutes).score

    until = waited(100) - waited(50)
    after = waited(150) - waited(100)
    assert 0 < until < after
    assert waited(10_000) == waited(1_000_000)


def test_waiting_alone_makes_nothing_urgent() -> None:
    text = "Nine hours on a chair, rude receptionist, my mum is 81. Disgusting"
    context = Context(now=NOW, targets={"today": 10.0, "soon": 10.0})
    soon, late = judge(text), judge(text, context, minutes=-10_000)
    assert soon.priority is Priority.TODAY
    assert late.priority is Priority.TODAY
    assert soon.score < shipped_rules().panes["urgent"] <= late.score, "it would by the sum"


def test_what_spreads_counts_by_the_hour_and_for_complaints_alone() -> None:
    def fired(text: str, reposts: int, minutes: int) -> bool:
        found = judge(text, Context(now=NOW), reposts=reposts, minutes=-minutes)
        return any(reason.rule == "context.spreading" for reason in found.reasons)

    assert fired("the wait was so long", 40, 30)
    assert not fired("the wait was so long", 40, 60 * 24)
    assert not fired("the wait was so long", 5, 30)
    assert not fired("what a lovely ward", 400, 30)


def test_reasons_give_the_words_as_they_were_written() -> None:
    assessed = judge("The RECEPTIONIST was  Rude")
    assert assessed.reasons[0].words == ("Rude",)


def test_reasons_words_are_harmless() -> None:
    assessed = judge("waited so\x1b[2J long")
    assert all("\x1b" not in word for reason in assessed.reasons for word in reason.words)


def test_the_names_of_our_services_are_recognised() -> None:
    assessed = judge("the Eye Clinic was shut", Context(service_names=("eye clinic", "Ward 7")))
    assert [
        reason.words for reason in assessed.reasons if reason.rule == "context.service_named"
    ] == [("eye clinic",)]


def test_a_repost_is_watched_unless_it_hurts() -> None:
    assert judge("how lovely is this", is_repost=True).priority is Priority.WATCH
    assert judge(URGENT[1], is_repost=True).priority is Priority.URGENT


def test_a_small_question_that_names_us_can_wait_until_the_urgent_are_answered() -> None:
    assert judge("@StElsewhere Is the chapel open at weekends?").priority is Priority.SOON


def test_a_question_that_names_us_outranks_the_same_in_passing() -> None:
    question = "what time does the eye clinic open"
    assert judge(question, mentions_us=True).score > judge(question).score
    assert judge(question).label == "question"


# -- planted bugs ------------------------------------------------------------------------------


def _without_pins(text: str) -> str:
    return text.replace("pin = true", "pin = false").replace("weight = 6.0", "weight = 0.2")


def _without_idioms(text: str) -> str:
    return re.sub(r"(?m)^not = \[(?:[^\[\]]*)\]$", "not = []", text)


def _without_yielding(text: str) -> str:
    return text.replace("yields_to_praise = true", "yields_to_praise = false")


def _without_negation(text: str) -> str:
    return text.replace("negatable = true", "negatable = false")


@pytest.mark.promise
@pytest.mark.parametrize(
    "plant", [_without_pins, _without_idioms, _without_yielding, _without_negation]
)
def test_the_sentences_catch_rules_that_have_lost_a_safeguard(plant: Callable[[str], str]) -> None:
    planted = changed_rules(plant)
    urgent = all(assess(post(text), planted).priority is Priority.URGENT for text in URGENT)
    praise = all(assess(post(text), planted).priority is Priority.PRAISE for text in PRAISE)
    assert not (urgent and praise and not misfits(planted))
