import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from carerespond.domain.models import Post
from carerespond.domain.threads import changes_between, remember, thread_fingerprint
from tests.domain.support import author, post

THREAD = [post("no reply again", "p1"), post("hello?", "p2", 5)]
TEXTS = st.lists(st.text(max_size=40), max_size=5)


def said(before: list[Post], after: list[Post]) -> list[tuple[str, str, str]]:
    kept = json.loads(json.dumps(remember(before)))
    return [(change.what, change.handle, change.text) for change in changes_between(kept, after)]


@given(TEXTS, st.randoms())
def test_a_fingerprint_is_the_same_in_any_order_and_nothing_has_changed(
    texts: list[str], random: object
) -> None:
    posts = [post(text, f"p{number}", number) for number, text in enumerate(texts)]
    shuffled = posts[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types it as object
    assert thread_fingerprint(posts) == thread_fingerprint(shuffled)
    assert said(posts, shuffled) == []


@given(TEXTS, TEXTS)
def test_fingerprints_differ_exactly_when_there_are_changes(one: list[str], two: list[str]) -> None:
    before = [post(text, f"p{number}", number) for number, text in enumerate(one)]
    after = [post(text, f"p{number}", number) for number, text in enumerate(two)]
    assert (thread_fingerprint(before) == thread_fingerprint(after)) == (said(before, after) == [])


def test_likes_change_nothing() -> None:
    liked = [replace(one, likes=one.likes + 3, replies=1) for one in THREAD]
    assert thread_fingerprint(liked) == thread_fingerprint(THREAD)


def test_a_new_post_is_told() -> None:
    assert said(THREAD, [*THREAD, post("still waiting", "p3", 9)]) == [
        ("wrote", "sunny77", "still waiting")
    ]


def test_an_answer_as_us_is_told_from_a_patients_post() -> None:
    ours = post("We are sorry", "p3", 9, author=author(9, "StElsewhere"), is_ours=True)
    assert said(THREAD, [*THREAD, ours]) == [("answered as us", "StElsewhere", "We are sorry")]


def test_an_edit_is_told_with_its_new_words() -> None:
    edited = replace(THREAD[0], text="thank you all", version_id="p1b")
    assert said(THREAD, [edited, THREAD[1]]) == [("edited", "sunny77", "thank you all")]


def test_a_post_that_is_gone_is_told_without_its_words() -> None:
    [(what, handle, text)] = said(THREAD, THREAD[1:])
    assert (what, handle) == ("deleted or hidden", "sunny77")
    assert "no reply again" not in text


def test_a_new_handle_is_told_once_for_the_same_account() -> None:
    renamed = [replace(one, author=author(handle="moon88")) for one in THREAD]
    assert said(THREAD, renamed) == [
        ("has a new handle", "moon88", "was @sunny77, the same account")
    ]


def test_what_is_remembered_holds_no_words() -> None:
    assert "no reply again" not in json.dumps(remember(THREAD))


def test_with_nothing_remembered_every_post_is_new() -> None:
    assert [change.what for change in changes_between([], THREAD)] == ["wrote", "wrote"]


def test_a_lone_surrogate_has_a_fingerprint() -> None:
    assert thread_fingerprint([post("\ud800")]) != thread_fingerprint([post("x")])
