"""What each check of an answer finds; `domain.privacy` says what for."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from carerespond.domain import privacy_words as look_for
from carerespond.domain.models import Post
from carerespond.domain.privacy import Finding
from carerespond.domain.text import one_line

_WORDS_SHOWN: Final = 60
_LONGEST: Final = 20_000


def findings(text: str, post: Post, our_contacts: Sequence[str]) -> list[Finding]:
    """Everything that there is to say about an answer, check by check; nothing of an empty one."""
    plain = _plain(text)
    if not plain.strip():
        return []
    ours = _Ours(our_contacts)
    return [
        *_confirmations(plain),
        *_numbers(plain, post, ours),
        *_addresses(plain, ours),
        *_health(plain, post),
        *_names(plain, post),
        *_asks(plain),
        *_manners(plain),
    ]


def is_nhs_number(digits: str) -> bool:
    """Whether ten digits have the check digit of an NHS number (NHS Data Dictionary, mod 11)."""
    if len(digits) != 10 or not (digits.isascii() and digits.isdigit()):  # noqa: PLR2004
        return False
    total = sum(
        int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)
    )
    return (11 - total % 11) % 11 == int(digits[9])


# -- confirms a patient ------------------------------------------------------------------------


def _confirmations(plain: str) -> Iterator[Finding]:
    certain: list[str] = []
    near: list[str] = []
    for sentence in _sentences(plain):
        low = sentence.lower()
        spoken = look_for.WARD_LOCAL.sub(" ", look_for.SURGERY.sub(" ", sentence.lower()))
        found = [one[0] for one in look_for.CONFIRMING.finditer(spoken)]
        if look_for.GUARDING.search(low) or look_for.CANNOT_DISCUSS.search(low):
            continue
        (near if look_for.CONDITIONAL.search(low) else certain).extend(found)
        near.extend(one[0] for one in look_for.NEAR.finditer(low))
    if certain:
        yield Finding(
            "patient", "stop", "It tells the world that they are a patient", _shown(certain)
        )
    if near:
        yield Finding(
            "patient_near", "warn", "It comes close to saying that they are a patient", _shown(near)
        )


# -- numbers and dates -------------------------------------------------------------------------

_CENTURY_BREAK = 30


def _numbers(plain: str, post: Post, ours: "_Ours") -> Iterator[Finding]:
    nhs = [one[0] for one in look_for.TEN.finditer(plain) if _is_number(one[0], ours)]
    nhs += [
        one[1].strip() for one in look_for.LABELLED.finditer(plain) if not ours.has_phone(one[1])
    ]
    if nhs:
        yield Finding("number", "stop", "An NHS or patient number", _shown(nhs))
    births, dates = _dates(plain, post.created_at.year)
    if births:
        yield Finding("birth", "stop", "A date of birth", _shown(births))
    if dates:
        yield Finding("date", "warn", "A date: is it somebody's appointment?", _shown(dates))
    private: list[str] = []
    public: list[str] = []
    for one in look_for.PHONE.finditer(plain):
        digits = _digits(one[0])
        if ours.has_phone(digits) or one[0].strip() in nhs:
            continue
        (public if digits.startswith(("03", "08")) else private).append(one[0].strip())
    if private:
        yield Finding("phone", "stop", "A phone number that is not ours", _shown(private))
    if public:
        yield Finding(
            "phone_public", "warn", "A phone number that is not in our settings", _shown(public)
        )


def _is_number(text: str, ours: "_Ours") -> bool:
    digits = re.sub(r"\D", "", text)
    return is_nhs_number(digits) and not ours.has_phone(digits)


def _dates(plain: str, year: int) -> tuple[list[str], list[str]]:
    births: list[str] = []
    others: list[str] = []
    for one in look_for.DATE.finditer(plain):
        said = next(part for part in one.groups() if part)
        full = int(said)
        if len(said) == 2:  # noqa: PLR2004  two digits of a year
            full += 2000 if full < _CENTURY_BREAK else 1900
        is_birth = look_for.BORN.search(plain[: one.start()]) or full < year - 1
        (births if is_birth else others).append(one[0])
    return births, others


# -- addresses ---------------------------------------------------------------------------------


class _Ours:
    """Our own phone numbers and e-mail addresses."""

    def __init__(self, contacts: Iterable[str]) -> None:
        contacts = [contact.strip().casefold() for contact in contacts]
        self.emails = {contact for contact in contacts if "@" in contact}
        self.domains = {email.rpartition("@")[2] for email in self.emails}
        self._phones = {_digits(contact) for contact in contacts if "@" not in contact}

    def has_phone(self, text: str) -> bool:
        """Whether this is a number of ours, however it is spaced."""
        return _digits(text) in self._phones


def _digits(phone: str) -> str:
    digits = re.sub(r"\D", "", phone.replace("(0)", ""))
    return "0" + digits[2:] if digits.startswith("44") else digits


def _addresses(plain: str, ours: _Ours) -> Iterator[Finding]:
    foreign: list[str] = []
    near: list[str] = []
    for one in look_for.EMAIL.finditer(plain):
        email = one[0].casefold()
        if email not in ours.emails:
            is_near = email.rpartition("@")[2] in ours.domains
            (near if is_near else foreign).append(one[0])
    if foreign:
        yield Finding("email", "stop", "An e-mail address that is not ours", _shown(foreign))
    if near:
        yield Finding(
            "email_near", "warn", "An e-mail address that is not in our settings", _shown(near)
        )
    postcodes = [one[0] for one in look_for.POSTCODE.finditer(plain)]
    if postcodes:
        yield Finding("postcode", "stop", "A postcode", _shown(postcodes))


# -- health ------------------------------------------------------------------------------------


def _health(plain: str, post: Post) -> Iterator[Finding]:
    said = {one[0].casefold() for one in look_for.DETAIL.finditer(_plain(post.text))}
    theirs: list[str] = []
    repeated: list[str] = []
    for one in look_for.DETAIL.finditer(plain):
        if look_for.THEIRS.search(plain[max(one.start() - 60, 0) : one.start()]):
            theirs.append(one[0])
        elif one[0].casefold() in said:
            repeated.append(one[0])
    if theirs:
        yield Finding("health", "stop", "It speaks of somebody's health", _shown(theirs))
    if repeated:
        yield Finding(
            "health_repeated", "warn", "It repeats a health detail of the post", _shown(repeated)
        )


# -- names, questions, manners -----------------------------------------------------------------


def _names(plain: str, post: Post) -> Iterator[Finding]:
    known = _plain(f"{post.author.name} {post.author.handle} {post.text}").casefold()
    titled = [one[0] for one in look_for.TITLED.finditer(plain) if one[1].casefold() not in known]
    greeted = [
        one[1]
        for one in look_for.GREETED.finditer(plain)
        if one[1].split()[0].casefold() not in look_for.NOBODY and not _knows(known, one[1])
    ]
    if greeted or titled:
        yield Finding(
            "name", "stop", "A name that they did not give in public", _shown(greeted + titled)
        )


def _knows(known: str, greeted: str) -> bool:
    titles = {"mr", "mrs", "ms", "miss", "dr", "prof"}
    names = [one for one in greeted.casefold().split() if one.strip(".") not in titles]
    return bool(names) and names[0] in known


def _asks(plain: str) -> Iterator[Finding]:
    asked: list[str] = []
    for sentence in _sentences(plain):
        low = sentence.lower()
        if look_for.ASKING.search(low) and not look_for.PRIVATELY.search(low):
            asked += [one[0] for one in look_for.ASKS.finditer(low)]
    if asked:
        yield Finding("asks", "stop", "It asks for private details in public", _shown(asked))


def _manners(plain: str) -> Iterator[Finding]:
    blame = [one[0] for one in look_for.BLAME.finditer(plain)]
    if blame:
        yield Finding("blame", "warn", "It may read as blame or dispute", _shown(blame))
    shouted = [one[0] for one in look_for.SHOUTED.finditer(plain)]
    if shouted:
        yield Finding("capitals", "warn", "Capitals read as shouting", _shown(shouted))
    if not look_for.WARM.search(plain):
        yield Finding("greeting", "warn", "It neither greets, thanks nor says sorry")


# -- words -------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Text for matching: compatible letters, plain quotes and dashes, nothing invisible."""
    text = unicodedata.normalize("NFKC", text[:_LONGEST]).translate(look_for.QUOTES)
    text = "".join(one for one in text if one == "\n" or unicodedata.category(one)[0] != "C")
    return re.sub(r"[^\S\n]+", " ", text)


def _sentences(plain: str) -> list[str]:
    return look_for.SENTENCE.findall(plain)


def _shown(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one_line(word, _WORDS_SHOWN)) for word in words))
