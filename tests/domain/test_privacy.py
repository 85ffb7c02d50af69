from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain import privacy
from carerespond.domain.privacy import Finding, check_reply
from carerespond.domain.privacy_checks import is_nhs_number
from tests.domain.support import post

OURS = ("0113 496 0000", "pals@stelsewhere.example")
POST = post("4 hours in A&E with my mum and her diabetes, nobody told us anything. Joan")

BAD = (
    "As our patient you deserve better, sorry.",
    "As a patient of ours you should know the rules.",
    "You are one of our patients, so please ring.",
    "We are sorry about your treatment.",
    "Sorry about your appointment on Tuesday.",
    "So sorry to hear about your recent visit.",
    "Sorry your stay with us was noisy.",
    "We have looked at your notes and see what happened.",
    "I've checked your records and you did not ring us.",
    "Our records show you were offered a slot.",
    "According to your notes you left.",
    "Your operation was cancelled because staff were ill, sorry.",
    "Sorry, your blood test results went astray.",
    "Your x-ray was fine, there is no reason to complain.",
    "When you were admitted the ward was full.",
    "You were discharged on Friday as planned.",
    "You were not seen on time, sorry.",
    "You missed two appointments before this one.",
    "You refused the filling, sorry.",
    "You turned up late for the clinic.",
    "Thank you for visiting our A&E last night.",
    "Thanks for attending the eye clinic.",
    "It was lovely to meet you in clinic.",
    "We look forward to seeing you again soon!",
    "Dr Smith saw you and prescribed antibiotics.",
    "Our nurses treated you with kindness, sorry you disagree.",
    "Sorry that your mum's diabetes was not looked at.",
    "Your son was seen by our best doctor.",
    "Your mother was confused that night, sorry.",
    "We're sorry your dad died on our ward.",
    "He was assessed within the target time, sorry.",
    "Your bill of 200 pounds is still unpaid.",
    "Your insurance did not cover it, sorry.",
    "Your dentures are ready, sorry for the delay.",
    "Your glasses were made to the right prescription.",
    "Your medication was changed by your consultant.",
    "Your baby's birth was hard for all of us, sorry.",
    "You have a history of missing clinics.",
    "We will rebook you for Monday, sorry.",
    "Sorry about your miscarriage.",
    "Your depression is something we can help with.",
    "Dear Mrs Patel, thank you for this.",
    "Hi Brian, sorry to read this.",
    "Thank you Mr Jones, we will look into it.",
    "NHS no 943 476 5919, we'll look into it.",
    "Hospital number AB 123456, thank you.",
    "Your date of birth is 12/03/1961, is that right?",
    "Born 3rd of March 1961? Thank you.",
    "We will ring you on 07700 900123.",
    "Please write to jo.bloggs@webmail.example, sorry.",
    "We will send it to LS1 3EX, sorry.",
    "Please reply with your NHS number and date of birth.",
    "Can you tell us your full name and address? Thank you.",
)
GOOD = (
    "Thank you for telling us this; we are sorry to read it. Please call PALS on 0113 496 0000.",
    "We're sorry to hear about your experience. Could you e-mail pals@stelsewhere.example?",
    "Hi Sam, thank you for your kind words! We will share them with the team.",
    "Hi Joan, thank you. We are sorry and would like to listen.",
    "Hello, sorry this was so hard. Please do not post your NHS number or test results here.",
    "We cannot discuss anyone's care here, but we would like to listen: 0113 496 0000. Sorry.",
    "Sorry, we can't talk about your appointment in public, but do ring +44 113 496 0000.",
    "Thank you. If you are worried now, please call NHS 111, or 999 in an emergency.",
    "Please contact your GP or your surgery, or call 111. Thank you.",
    "Sorry to hear this. Would you tell your story at https://www.careopinion.org.uk/x?",
    "Hi there, thanks for asking: the eye clinic is on level 2 and opens at 8.30.",
    "That is lovely to read, thank you. We will make sure the team see it.",
    "Mae'n ddrwg gennym. Diolch am ddweud wrthym.",
    "Dear all, visiting times are 2pm to 8pm. Thank you for asking.",
    "We are so sorry for your loss. Our bereavement team is on 0113 496 0000, whenever you like.",
    "We take this seriously and would like to speak with you. Thank you for raising it.",
    "Parking is free for blue badge holders. Thanks for asking: https://stelsewhere.example/parking",
    "Sorry to hear you had a long wait. Please DM us your name and date of birth.",
    "Nobody should have to wait that long. We're sorry and would like to put this right.",
    "Thank you for sharing this. Feedback like yours helps us to do better.",
    "Good morning, thank you for the photo! The garden team will be delighted.",
    "We hear you, and we are sorry. Our manager Carol would like to listen: 0113 496 0000.",
    "If you would like to, tell us more in private: pals@stelsewhere.example. Thank you.",
    "Thank you! All our patients deserve kindness like this.",
    "Samaritans are there day and night on 116 123. We are sorry that things are so hard.",
    "The flu clinic is on ward B2 1st floor, thank you for asking.",
    "Sorry about the noise outside. The building work ends this week.",
    "Hi everyone, thanks for asking. The walk-in centre is open today until 10pm.",
    "We're sorry. This is not the welcome that we want anybody to have.",
    "Thank you, that is kind. We have passed it on to the night team.",
)


def stops(text: str) -> list[Finding]:
    return [one for one in check_reply(text, POST, OURS) if one.level == "stop"]


@pytest.mark.parametrize("text", BAD)
def test_an_answer_that_gives_a_patient_away_is_stopped_and_shows_the_words(text: str) -> None:
    found = stops(text)
    assert found
    assert all(one.words and one.text for one in found)


@pytest.mark.parametrize("text", GOOD)
def test_a_good_answer_is_let_through(text: str) -> None:
    assert stops(text) == []


@pytest.mark.parametrize("text", GOOD)
def test_a_good_answer_says_what_was_looked_for(text: str) -> None:
    assert [one.level for one in check_reply(text, POST, OURS)][-1] == "ok"


def rules(text: str) -> set[str]:
    return {one.rule for one in check_reply(text, POST, OURS)}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("patient_near", "Thank you! So glad the team looked after you."),
        ("patient_near", "If you have a question about your appointment, do ring us. Thanks."),
        ("health_repeated", "Sorry. Our diabetes team would like to listen."),
        ("blame", "Sorry, but you should have rung us first."),
        ("capitals", "Sorry, PLEASE READ THE NOTICE before you post."),
        ("greeting", "The clinic opens at 9."),
        ("phone_public", "Thank you. Ring 0300 123 4567 for advice."),
        ("email_near", "Thank you, write to complaints@stelsewhere.example"),
        ("date", "Thank you. We are open on 25 December 2026."),
    ],
)
def test_what_comes_close_is_advice(rule: str, text: str) -> None:
    assert rule in rules(text)
    assert stops(text) == []


def test_nothing_is_said_of_nothing() -> None:
    assert check_reply(" \n ", POST, OURS) == []


def test_our_own_number_is_ours_however_it_is_written() -> None:
    for number in ("0113 496 0000", "01134960000", "+44 113 496 0000", "(0113) 496-0000"):
        assert stops(f"Thank you, ring {number}.") == []
    assert stops("Thank you, ring 0113 496 0001.")


def test_disguised_text_is_still_read() -> None:
    assert stops("Sorry about \uff59\uff4f\uff55\uff52 \uff54\uff52\uff45\uff41\uff54ment.")
    assert stops("Sorry about your\u00a0treat\u200bment.")
    assert stops("We\u2019ve checked your notes, sorry.")


@pytest.mark.parametrize("number", ["9434765919", "4010232137", "9876543210"])
def test_nhs_numbers_are_known_by_their_check_digit(number: str) -> None:
    assert is_nhs_number(number)
    changed = number[:9] + str((int(number[9]) + 1) % 10)
    assert not is_nhs_number(changed)
    assert stops(f"Thank you, {number[:3]} {number[3:6]} {number[6:]} is noted.")


@given(st.text(max_size=300), st.text(max_size=60))
def test_no_text_upsets_the_checks_and_stops_come_first(text: str, words: str) -> None:
    found = check_reply(text + words, post(words), OURS)
    levels = [one.level for one in found]
    assert levels == sorted(levels, key=lambda level: level != "stop")
    assert check_reply(text + words, post(words), OURS) == found


@pytest.mark.parametrize(
    "text", ["your " * 4_000, "0" * 20_000, "if you " * 3_000, "a@" * 9_000, "x" * 20_000]
)
def test_no_text_makes_the_checks_slow(text: str) -> None:
    import time

    began = time.perf_counter()
    check_reply(text, POST, OURS)
    assert time.perf_counter() - began < 1.0  # seconds


# -- planted bugs ------------------------------------------------------------------------------


def _only_phrases(text: str) -> list[Finding]:
    return [one for one in stops(text) if one.rule == "patient"]


def _only_numbers(text: str) -> list[Finding]:
    return [one for one in stops(text) if one.rule in ("number", "phone", "birth", "postcode")]


def _any_your(text: str) -> list[Finding]:
    return (
        [Finding("patient", "stop", "your", ("your",))] if "your" in text.lower() else stops(text)
    )


@pytest.mark.promise
@pytest.mark.parametrize("mutant", [_only_phrases, _only_numbers, _any_your])
def test_the_answers_catch_checks_that_stop_too_little_or_too_much(
    mutant: Callable[[str], list[Finding]],
) -> None:
    assert not (all(mutant(text) for text in BAD) and not any(mutant(text) for text in GOOD))


def test_levels_are_those_that_screens_know() -> None:
    found = [one for text in (*BAD, *GOOD) for one in privacy.check_reply(text, POST, OURS)]
    assert {one.level for one in found} <= {"stop", "warn", "ok"}
