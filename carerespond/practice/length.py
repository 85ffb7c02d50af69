"""How X finds links and counts a post: weighted 280, each link 23, wide characters and emoji 2.

Source: twitter-text configuration v3 (`x-api/fundamentals/counting-characters`).
"""

import re
import unicodedata

LIMIT = 280
LINK_LENGTH = 23

# Ranges that weigh one; everything else weighs two.
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_GENERIC = _words(
    """
    academy accountants agency app arts associates bank biz blog care careers cat center
    charity church city clinic cloud club co.uk coach com community company coop cymru
    dental dentist dev digital directory edu education email events expert family fitness
    foundation fund fyi gallery global gov group guide health healthcare help hospital house
    info insure int international jobs law legal life link live london ltd management
    marketing media medical memorial mil mobi museum name net network news ngo one online
    org page party photo physio place plus post press pro pub report reviews rip run sale
    school science scot services site social solutions space store studio support surgery
    team tech tips today tools training travel university video vision wales watch website
    wiki work works world xyz zone
    """
)
_COUNTRY = _words(
    """
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo
    br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk
    dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq
    gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh
    ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn
    mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg
    ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn
    so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us
    uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
    """
)

_OTHER_SCRIPTS = ("\u307f\u3093\u306a", "\u067e\u0627\u06a9\u0633\u062a\u0627\u0646")
_LATIN = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_PLAIN = rf"[a-z0-9{_LATIN}]"
_LETTER = r"[^\s!-/:-@\[-`{-~\u2000-\u206f\u3000-\u303f\uff00-\uffef]"  # of any script
_ENDINGS = "|".join(
    sorted(
        (re.escape(word) for word in (*_GENERIC, *_COUNTRY, *_OTHER_SCRIPTS)), key=len, reverse=True
    )
)
_END = rf"(?P<{{name}}>{_ENDINGS})(?![a-z0-9@+-])"
_PATH = rf"[a-z0-9{_LATIN}\u0400-\u04ff!*';:=+,.$/%#\[\]_~@|&\u2013-]"
_PATH_END = rf"[a-z0-9{_LATIN}\u0400-\u04ff=_#/+-]"
_BRACKETS = rf"\({_PATH}+\)"
_LINK = re.compile(
    rf"(?<![a-z0-9@\uff20$#\uff03\ufeff\ufffe\uffff])(?:"
    rf"(?P<scheme>https?://)(?P<host>(?:{_LETTER}(?:[_-]*{_LETTER})*\.)*"
    rf"{_LETTER}(?:-*{_LETTER})*\.{_END.format(name='ending')})"
    rf"|(?<![_./-])(?P<bare>(?:{_PLAIN}(?:[_-]*{_PLAIN})*\.)*"
    rf"{_PLAIN}(?:-*{_PLAIN})*\.{_END.format(name='bare_ending')}))"
    r"(?::[0-9]+)?"
    rf"(?P<path>/(?:(?:{_PATH}|{_BRACKETS})*(?:{_PATH_END}|{_BRACKETS}))?)?"
    r"(?P<query>\?[a-z0-9!?*'();:&=+$/%#\[\]_.,~|@-]*[a-z0-9_&=#/-])?",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"https?://t\.co/([a-z0-9]+)(?:\?\S*)?", re.IGNORECASE)
LONGEST_SLUG, LONGEST_LABEL, LONGEST_HOST = 40, 63, 253
# A base of an emoji, with what may follow it: skin tones, selectors, keycaps and joined parts.
_PICTURE = (
    "[\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25aa-\u27bf"
    "\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"
    "|[0-9#*]\ufe0f?\u20e3"
    f"|{_PICTURE}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
    f"(?:\u200d{_PICTURE}[\ufe0f]?[\U0001f3fb-\U0001f3ff]?)*"
)
_LEADING_MENTIONS = re.compile(r"\A(?:\s*@[A-Za-z0-9_]{1,15}\b)*\s*")


def links(text: str) -> list[tuple[int, int, str]]:
    """Links in a text as (start, end, link): with a scheme, or a bare host that X takes for one."""
    found = (_link(hit) for hit in _LINK.finditer(text))
    return [link for link in found if link is not None]


def _link(hit: re.Match[str]) -> tuple[int, int, str] | None:
    host, end = hit["host"] or hit["bare"], hit.end()
    labels = [_encoded(label) for label in host.split(".")]
    if any(len(label) > LONGEST_LABEL for label in labels) or len(host) > LONGEST_HOST:
        return None
    shortened = _SHORTENED.match(hit.group())
    if shortened is not None:
        if len(shortened[1]) > LONGEST_SLUG:
            return None
        end = hit.start() + shortened.end()
    return hit.start(), end, hit.string[hit.start() : end]


def _encoded(label: str) -> str:
    """A label as it is looked up; one that claims to be encoded and is not has no length."""
    if label.isascii():
        return label
    if label.lower().startswith("xn--"):
        return "x" * (LONGEST_LABEL + 1)
    return f"xn--{label.encode('punycode').decode()}"


def weighted_length(text: str) -> int:
    """The length of a post as X counts it."""
    text = unicodedata.normalize("NFC", text)
    total, end = 0, 0
    for start, after, _ in links(text):
        total += _weigh(text[end:start]) + LINK_LENGTH
        end = after
    return total + _weigh(text[end:])


def _weigh(text: str) -> int:
    rest, emoji = _EMOJI.subn("", text)
    return emoji * 2 + sum(_weight(ord(character)) for character in rest)


def _weight(code: int) -> int:
    return 1 if any(first <= code <= last for first, last in _LIGHT) else 2


def without_leading_mentions(text: str) -> str:
    """A reply's text less the @names in front, which X does not count."""
    return text[_LEADING_MENTIONS.match(text).end() :] if text.lstrip().startswith("@") else text  # type: ignore[union-attr]  # the pattern matches the empty text


def cut(text: str, limit: int = LIMIT) -> str:
    """The short form of a long post: at most `limit` weighted characters, ending in an ellipsis."""
    if weighted_length(text) <= limit:
        return text
    end = min(len(text), limit)
    while end and weighted_length(text[:end]) > limit - 1:
        end -= 1
    return text[:end].rstrip() + "\u2026"
