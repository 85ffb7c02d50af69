"""The practice network's people: what they do after we answer them.

What a person does depends on the kind of post (the first part of its key in `posts.toml`), on the
person's temper, which is the same all day, and on what the answer says. The same answer under the
same seed gives the same reaction.
"""

import random
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

QUOTES_WHEN_CROSS = 0.5
TEMPERS = ("warm", "warm", "plain", "plain", "hot", "shy")
_KNOWN_TEMPERS = {
    "quietquay_x7": "plain",
    "joan_pellbrook": "plain",
    "ned_carrowby": "warm",
    "stanmoor_t9": "hot",
    "ted_yarrowick": "warm",
    "nesta_holvey": "hot",
    "alma_rookhope": "hot",
    "otto_fenwhistle": "warm",
    "ruby_castlgt9": "warm",
    "hamish_lorrim8": "plain",
    "jean_hopkirk_z": "hot",
    "clive_ruddock_q": "hot",
    "prudence_vail_q": "warm",
}
_SILENT = frozenset(
    {"news", "promo", "spam", "noise", "hostile", "ours", "repost", "thread", "state"}
)
_KINDS = {"eye": "upset", "before": "upset", "rung": "ask"}

# Some people always do the same, so that each way of reacting can be met on the first day.
_SCENES: dict[str, tuple[str, ...]] = {
    "ask-chapel": ("ask-more",),
    "ask-wheelchair": (),
    "ask-visiting": ("thanks", "ask-child"),
    "ask-dm-open": ("private", "delete"),
    "state-deleted": ("delete",),
    "state-edited": ("thanks",),
    "rung-volunteer": ("ring-me",),
    "eye-praise": ("welcome",),
    "eye-8": ("barbed",),
    "eye-10": ("welcome",),
    "eye-11": ("welcome", "told"),
}

_LINES: dict[str, tuple[str, ...]] = {
    "thanks": (
        "that's really helpful thank you",
        "Thank you for answering so quickly, much appreciated.",
        "brilliant cheers",
    ),
    "ask-more": (
        "Thank you. And is there somewhere nearby to get a cup of tea",
        "ok and do i need to ring ahead or just turn up",
        "Thanks. Does that go for bank holidays as well?",
    ),
    "ask-child": ("one more thing sorry, is it all right if he brings a drawing to stick up",),
    "not-answered": (
        "That isn't what I asked though is it",
        "so is that a yes or a no",
    ),
    "ring-me": (
        "Yes please, any afternoon this week, the number's above. Slowly with the keypad, me.",
    ),
    "private": ("Thank you. I'll do it that way and take this down.",),
    "welcome": (
        "They deserve it. Tell them!",
        "you're welcome, credit where it's due",
        "No, thank YOU. Made my day that you read it",
    ),
    "told": (
        "Done, I've told the whole story on there. Had a little cry doing it. Thank you for asking",
        "Written it up at your link. Hope the team see it.",
        "ok ive put it on there, took me ten minutes, better out than in",
    ),
    "what-story": (
        "What is that link, does my name show",
        "Do I have to sign up for something to leave it there?",
    ),
    "laugh": (
        "Ha, fair play for replying. Didn't think anyone read these",
        "Well I never, a human being.",
    ),
    "barbed": (
        "Smooth. Sort it out though, eh",
        "Thank you. I'll believe it when I see it, but thank you.",
    ),
    "no-sorry": (
        "Not even a sorry",
        "All those words and not one of them is sorry.",
    ),
    "crosser": (
        "Wow. Copy and paste. I'm telling everyone about this now",
        "So that's how little it matters to you. I'll be taking this further.",
    ),
    "will-ring": (
        "Thank you for the apology, that's all I wanted really. I'll get in touch that way.",
        "ok. thank you. I will do that in the morning when I'm calmer",
    ),
    "when-open": (
        "What time are they open till, I work days",
        "Will I get a person or a machine if I do that?",
    ),
    "again-phone": (
        "I have done that. Nobody comes back to me. That is the whole point of my post.",
        "oh good another number to be on hold to",
    ),
    "cross-link": (
        "A form. You're sending me a form.",
        "I don't want to leave feedback I want somebody to fix it",
    ),
    "so-what": (
        "Sorry for what, though? What happens now?",
        "ok but what are you going to do about it",
    ),
    "exposed": (
        "Please don't talk about my care on here, everyone I know can see this.",
        "Er, how do you know that, and why are you saying it in public",
    ),
    "grief-thanks": ("Thank you. That was kindly said. I'll write when I can face it.",),
    "grief-link": ("You sent me a link. A link.",),
    "grief-cold": ("I don't think anyone there read what I wrote.",),
    "safer": (
        "I rang. There's someone talking to me now. Thank you for not leaving it",
        "ok. not on my own now, a neighbour's here and help is coming. thank you for answering",
    ),
    "adrift": (
        "I dont know what I wanted you to say. Doesnt matter",
        "is anyone actually there",
    ),
    "staff": ("Thank you. Didn't expect anybody to notice.",),
    "cy-thanks": (
        "Diolch yn fawr am ateb mor gyflym.",
        "Diolch am eich geiriau caredig.",
    ),
    "cy-please": ("Diolch, ond oes modd cael ateb yn Gymraeg os gwelwch yn dda?",),
}

_SORRY = re.compile(r"\b(sorry|apolog\w*|ddrwg|ymddiheur\w*)\b", re.IGNORECASE)
_PHONE = re.compile(r"\b0\d{2,4}[ -]?\d{3}[ -]?\d{3,4}\b")
_EMAIL = re.compile(r"\S@\S+\.\S")
_CRISIS = re.compile(r"\b(999|111|116 ?123|samaritans)\b", re.IGNORECASE)
_PRIVATE = re.compile(r"\b(direct message|dm us|message us|pm us)\b", re.IGNORECASE)
_WELSH = re.compile(r"\b(diolch|ddrwg|gennym|croeso|ymddiheur\w*|cysylltwch|chi)\b", re.IGNORECASE)
# Words that say before everybody that somebody is a patient.
_EXPOSING = re.compile(
    r"\b(our records|your (?:notes|records|results|diagnosis)|we treated you|as our patient"
    r"|when you were (?:with us|on our ward|here)|your (?:recent )?(?:stay|visit) with us)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class PatientReaction:
    """Something that a patient does; `kind` is "reply", "quote" or "delete"."""

    after_seconds: float
    text: str
    kind: str = "reply"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a patient hears in our answer."""

    sorry: bool
    contact: bool
    crisis: bool
    story: bool
    exposing: bool
    welsh: bool


def read_answer(text: str, *, story: bool) -> Answer:
    """What an answer contains; `story` says that a tell-your-story link is in it."""
    found = (_PHONE, _EMAIL, _PRIVATE)
    return Answer(
        sorry=bool(_SORRY.search(text)),
        contact=any(pattern.search(text) for pattern in found),
        crisis=bool(_CRISIS.search(text)),
        story=story,
        exposing=bool(_EXPOSING.search(text)),
        welsh=bool(_WELSH.search(text)),
    )


def temper_of(handle: str) -> str:
    """A person's temper: "warm", "plain", "hot" or "shy"; the same for ever."""
    handle = handle.lstrip("@").lower()
    known = _KNOWN_TEMPERS.get(handle)
    return known or TEMPERS[zlib.crc32(handle.encode()) % len(TEMPERS)]


def react(
    handle: str,
    key: str,
    text: str,
    story: bool,  # noqa: FBT001  # the network calls with five places
    chance: random.Random,
) -> Sequence[PatientReaction]:
    """What the author of a scripted post does after our answer.

    Args:
        handle: The author.
        key: The post's key in the script.
        text: Our answer.
        story: Whether it has a tell-your-story link.
        chance: Decides between equals; seeded by the network.

    Returns:
        Reactions, the first one first; empty when the person stays silent.
    """
    moods = _moods(handle, key, read_answer(text, story=story))
    reactions: list[PatientReaction] = []
    after = 0.0
    for mood in moods:
        after += _delay(mood, chance)
        reactions.append(_reaction(mood, after, chance))
    return reactions


def _delay(mood: str, chance: random.Random) -> float:
    if mood in {"told", "safer"}:
        return chance.uniform(120, 420)
    if mood in {"crosser", "exposed", "ring-me"}:
        return chance.uniform(20, 60)
    return chance.uniform(25, 180)


def _reaction(mood: str, after: float, chance: random.Random) -> PatientReaction:
    if mood == "delete":
        return PatientReaction(after, "", "delete")
    kind = "quote" if mood == "crosser" and chance.random() < QUOTES_WHEN_CROSS else "reply"
    return PatientReaction(after, chance.choice(_LINES[mood]), kind)


def _moods(handle: str, key: str, answer: Answer) -> tuple[str, ...]:
    if answer.exposing:
        return ("exposed", "delete")
    if key in _SCENES:
        return _SCENES[key]
    kind, _, rest = key.partition("-")
    if kind == "cy":
        return ("cy-thanks",) if answer.welsh else ("cy-please",)
    kind = _KINDS.get(kind, kind)
    if kind in _SILENT:
        return ("crosser",) if rest == "insult" else ()
    temper = temper_of(handle)
    if temper == "shy" and kind != "danger":
        return ()
    return _BY_KIND.get(kind, _upset)(temper, answer)


def _in_danger(_: str, answer: Answer) -> tuple[str, ...]:
    return ("safer",) if answer.crisis or answer.contact else ("adrift",)


def _bereaved(_: str, answer: Answer) -> tuple[str, ...]:
    if answer.story:
        return ("grief-link",)
    return ("grief-thanks",) if answer.sorry else ("grief-cold",)


def _asking(temper: str, answer: Answer) -> tuple[str, ...]:
    if temper == "hot":
        return ("not-answered",)
    if answer.story:
        return ("what-story",)
    return ("thanks",) if temper == "warm" else ("ask-more",)


def _grateful(temper: str, answer: Answer) -> tuple[str, ...]:
    if not answer.story:
        return ("welcome",)
    return ("welcome", "told") if temper == "warm" else ("what-story",)


def _barbed(temper: str, answer: Answer) -> tuple[str, ...]:
    if answer.story and temper != "hot":
        return ("laugh", "told")
    return ("barbed",) if temper == "hot" else ("laugh",)


def _upset(temper: str, answer: Answer) -> tuple[str, ...]:
    if not answer.sorry:
        return ("crosser",) if temper == "hot" else ("no-sorry",)
    if answer.contact:
        return {"warm": ("will-ring",), "hot": ("again-phone",)}.get(temper, ("when-open",))
    if answer.story:
        return ("cross-link",) if temper == "hot" else ("told",)
    return ("so-what",)


_BY_KIND: Mapping[str, Callable[[str, Answer], tuple[str, ...]]] = {
    "danger": _in_danger,
    "grief": _bereaved,
    "ask": _asking,
    "praise": _grateful,
    "barb": _barbed,
    "staff": lambda _temper, _answer: ("staff",),
}
