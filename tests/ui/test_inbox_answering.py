"""An answer from its first letter to the network and back, by keys; Enter never sends."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from carerespond.networks.base import Capabilities
from carerespond.ui.composer import ComposerScreen
from carerespond.ui.review import ReviewScreen
from tests.ui.support import WAYS, House, Terminal, build, seated

SORRY = "We are sorry to read this. Please ring 01632 960114. Asha, St Elsewhere"
# It tells the world that somebody is a patient: a person may overrule that with a reason.
TELLS = "Sorry about your appointment last week. Please ring 01632 960114. Asha, St Elsewhere"


def states(house: House) -> list[str]:
    """The states of all answers, oldest first."""
    return [state for (state,) in house.rows("SELECT state FROM outbox ORDER BY outbox_id")]


def kept(house: House, operator: str = "Asha") -> list[tuple[str, str]]:
    """A person's drafts in sight: whose case, which words."""
    return [
        (str(handle), str(text))
        for handle, text in house.rows(
            "SELECT handle, text FROM drafts JOIN cases USING (case_id)"
            " WHERE operator = ? AND discarded_at IS NULL AND text <> '' ORDER BY case_id",
            operator,
        )
    ]


# -- from the first letter to the network -------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_is_written_reviewed_sent_and_seen_as_sent(
    tmp_path: Path, way: str
) -> None:
    house = build(tmp_path, take_back=0.4)
    await house.listen()
    async with seated(house, way) as terminal:
        await terminal.go_to("maz_h")
        await terminal.press("r")
        await terminal.sees(
            "PUBLIC reply to @maz_h on X as @StElsewhere",
            "@StElsewhere waited six hours",
            "ROUTE api: They named or quoted us",
            "0/280 $0.010",
        )
        await terminal.type(SORRY)
        await terminal.sees(f"{len(SORRY)}/280", "kept")
        await terminal.press("ctrl+d")
        await terminal.sees(
            "REVIEW PUBLIC reply to @maz_h", SORRY[:60], "CHECKS", "$0.010", "y send"
        )
        await terminal.press("y")
        await terminal.until(lambda: house.ours() == [SORRY])
        await terminal.until(lambda: states(house) == ["sent"])
        await terminal.until(lambda: house.case("maz_h", "state") == ("done",))
        await terminal.press("O")
        await terminal.sees("OUTBOX", "SENT", "Asha to @maz_h", "its id on x:")
        assert kept(house) == []


@pytest.mark.parametrize("way", WAYS)
async def test_z_takes_it_back_and_the_text_is_a_draft_in_the_same_place(
    house: House, way: str
) -> None:
    async with seated(house, way) as terminal:
        await terminal.review("maz_h", SORRY)
        house.wire.clear()
        await terminal.press("y")
        await terminal.sees("sending to @maz_h in 60", "z takes it back")
        assert kept(house) == []
        await terminal.press("z")
        await terminal.sees("taken back: the answer to @maz_h is a draft again (r)")
        assert (states(house), kept(house)) == (["taken back"], [("maz_h", SORRY)])
        await terminal.sees_no("sending to @maz_h")
        await terminal.press("O")
        await terminal.sees("OUTBOX", "TAKEN BACK")
        await terminal.press("q", "r")
        await terminal.sees("PUBLIC reply to @maz_h", SORRY[:60])
    assert house.wire == []
    assert house.ours() == []


async def test_after_its_window_z_says_too_late(tmp_path: Path) -> None:
    house = build(tmp_path, take_back=0)
    await house.listen()
    async with house.terminal() as terminal:
        await terminal.review("maz_h", SORRY)
        await terminal.press("y")
        await terminal.until(lambda: states(house) == ["sent"])
        await terminal.press("z")
        await terminal.sees("Too late: the answer to @maz_h is sent.")


async def test_what_was_queued_at_the_end_is_kept_as_a_draft(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.review("maz_h", SORRY)
        await terminal.press("y")
        await terminal.sees("sending to @maz_h")
    assert (states(house), kept(house), house.ours()) == (["not sent"], [("maz_h", SORRY)], [])
    async with house.terminal() as terminal:
        await terminal.press("O")
        await terminal.sees("These need you.", "not sent: @maz_h")


# -- Enter never sends --------------------------------------------------------------------------


async def enter_sends_nothing(house: House, terminal: Terminal) -> None:
    """Enter in every screen on the way to sending, and in all that a review asks."""
    await terminal.go_to("maz_h")
    await terminal.press("enter", "enter", "r", "enter")
    await terminal.sees("PUBLIC reply to @maz_h")
    await terminal.type(TELLS)
    await terminal.press("enter", "enter", "ctrl+t")
    await terminal.sees("Templates")
    await terminal.press("escape", "f4")
    await terminal.sees("Checks before sending")
    await terminal.press("enter", "escape", "ctrl+p")
    await terminal.sees("Enter takes it")
    await terminal.answer("review")
    await terminal.sees("REVIEW", "stop")
    await terminal.press("enter", "enter")
    await terminal.press("ctrl+p")
    await terminal.sees("Enter takes it")
    await terminal.answer("in the outbox")  # sending is not offered: Enter must never do that
    await terminal.press("escape")
    await terminal.press("enter", "y")
    await terminal.sees("A check says stop.")
    await terminal.answer("the person asked for it")
    await terminal.press("enter", "enter", "enter")
    await terminal.stays(lambda: states(house) == [], 0.3)
    assert house.ours() == []


@pytest.mark.promise
async def test_enter_never_sends(house: House) -> None:
    async with house.terminal((80, 40)) as terminal:
        await enter_sends_nothing(house, terminal)
        await terminal.sees("OVERRULED, because the person asked for it")
        await terminal.press("y")
        await terminal.sees("sending to @maz_h")
        found = house.rows("SELECT detail FROM history WHERE action = 'queued'")
        assert found == [("the person asked for it",)]


@pytest.mark.promise
async def test_an_enter_that_sends_is_noticed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReviewScreen, "action_seen", ReviewScreen.action_send)
    async with house.terminal((80, 40)) as terminal:
        with pytest.raises(AssertionError):
            await enter_sends_nothing(house, terminal)
        assert states(house) == ["queued"]


async def test_initials_of_a_shared_session_are_asked_and_enter_does_not_send(
    house: House,
) -> None:
    async with house.terminal() as terminal:
        terminal.working[0].composer._shared_screens = lambda: 2
        await terminal.review("maz_h", SORRY)
        await terminal.press("y")
        await terminal.sees("2 screens are attached to this session: your initials?")
        await terminal.answer("as")
        await terminal.sees("INITIALS as")
        await terminal.press("enter", "enter")
        await terminal.stays(lambda: states(house) == [], 0.2)
        await terminal.press("y")
        await terminal.sees("sending to @maz_h")
        assert "[as]" in house.rows("SELECT detail FROM history WHERE action = 'queued'")[0][0]


async def test_y_sends_nowhere_but_in_the_review(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.write("maz_h", "Sorr")
        await terminal.press("y")
        await terminal.sees("5/280")
        await terminal.press("ctrl+d")
        await terminal.sees("REVIEW")
        await terminal.press("e")
        await terminal.sees("ctrl+d review and send")
        await terminal.press("y", "escape", "y", "enter", "y", "D")
        await terminal.sees("Drafts: open which?")
        await terminal.press("y", "q", "w", "y", "q", "colon")
        await terminal.answer("y")
        await terminal.stays(lambda: states(house) == [], 0.2)
    assert kept(house) == [("maz_h", "Sorryy")]
    assert house.ours() == []


async def test_repeat_never_repeats_a_send(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.review("maz_h", SORRY)
        await terminal.press("y")
        await terminal.sees("sending to @maz_h")
        for handle in ("tom_k", "ola_b"):
            await terminal.go_to(handle)
            await terminal.press("full_stop")
            await terminal.sees("There is no verb to repeat yet.")
        assert states(house) == ["queued"]


# -- what stands in the way ---------------------------------------------------------------------


@pytest.mark.promise
async def test_a_changed_thread_must_be_seen_first(house: House) -> None:
    async with house.terminal((80, 40)) as terminal:
        await terminal.write("maz_h", SORRY)
        rude = house.id_of("rude")
        await house.post("kel_b", "@StElsewhere @maz_h it is sorted now", reply_to=rude)
        await terminal.working[0].listening.check_now()
        await terminal.until(lambda: bool(house.rows("SELECT 1 FROM posts WHERE handle = 'kel_b'")))
        await terminal.press("ctrl+d")
        await terminal.sees("SINCE YOU BEGAN", "@kel_b", "it is sorted now")
        await terminal.sees("The thread has changed since you began. enter: I have read it")
        await terminal.press("y", "y")
        await terminal.stays(lambda: states(house) == [] and "REVIEW" in terminal.text, 0.2)
        await terminal.press("enter")
        await terminal.sees("y send")
        assert states(house) == []
        await terminal.press("y")
        await terminal.until(lambda: states(house) == ["queued"])


@pytest.mark.promise
async def test_a_review_that_hides_changes_is_noticed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(self: ReviewScreen) -> None:
        self.dismiss(self._page.verb)

    monkeypatch.setattr(ReviewScreen, "action_send", send)
    with pytest.raises(AssertionError):
        await test_a_changed_thread_must_be_seen_first(house)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "It cannot go out: There are no words to send."),
        ("Dear $first_name, sorry", "It cannot go out: A name is not filled in: $first_name."),
        ("so sorry " * 40, "It cannot go out: Too long: 359 of 280."),
    ],
)
async def test_a_text_that_cannot_go_out_is_blocked_in_words(
    house: House, text: str, says: str
) -> None:
    async with house.terminal() as terminal:
        await terminal.write("maz_h", "")
        await terminal.type(text.strip())
        if len(text) > 280:
            await terminal.sees("359/280 79 too long")
        await terminal.press("ctrl+d")
        await terminal.sees(says)
        await terminal.press("y", "enter", "y")
        await terminal.stays(lambda: states(house) == [] and says in terminal.text, 0.2)


async def test_templates_and_links_are_filled_and_put_in_where_the_cursor_is(house: House) -> None:
    async with house.terminal((80, 40)) as terminal:
        await terminal.write("tom_k", "Hello. ")
        await terminal.press("ctrl+t")
        await terminal.sees("Templates", "1 Sorry, please ring", "2 Tell your story")
        await terminal.press("1")
        await terminal.sees("Hello. We are sorry to read this, Tom. Please ring 01632 960127.")
        await terminal.press("f3")
        await terminal.sees("Put in an address", "Eye clinic, tell your story", "Eye clinic, page")
        await terminal.press("2")
        await terminal.sees("careopinion.org.uk/services/practice-eye-clinic")
        await terminal.press("f4")
        await terminal.sees("Checks before sending")
        await terminal.press("q")
        await terminal.press("f1")
        await terminal.sees("every other key is text")
        await terminal.press("q", "escape")
    assert kept(house)[0][1].endswith("https://www.careopinion.org.uk/services/practice-eye-clinic")


async def test_a_template_that_cannot_be_filled_blocks(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.write("maz_h", "")  # no service is named, so there is no link
        await terminal.press("ctrl+t", "2")
        await terminal.sees("warn Not filled in: '$story_link'")
        await terminal.press("ctrl+d")
        await terminal.sees("A name is not filled in: $story_link.")


# -- drafts -------------------------------------------------------------------------------------


async def test_a_composer_left_without_a_word_leaves_no_mark(house: House) -> None:
    marks = "SELECT owner, writing FROM cases WHERE handle = 'maz_h'"
    async with house.terminal() as terminal:
        await terminal.go_to("maz_h")
        await terminal.press("r")
        await terminal.sees("PUBLIC reply to @maz_h")
        assert house.rows(marks) == [("Asha", "Asha")]
        await terminal.press("escape")
        await terminal.until(lambda: house.rows(marks) == [(None, None)])


@pytest.mark.parametrize("way", WAYS)
async def test_esc_keeps_the_draft_and_d_finds_it(house: House, way: str) -> None:
    async with seated(house, way) as terminal:
        await terminal.write("tom_k", "You can park behi")
        await terminal.press("escape")
        await terminal.sees("the draft is kept")
        assert kept(house) == [("tom_k", "You can park behi")]
        await terminal.press("G", "D")
        await terminal.sees("Drafts: open which?", "answer to @tom_k, now: You can park behi")
        await terminal.press("1")
        await terminal.sees("PUBLIC reply to @tom_k", "You can park behi")
        await terminal.type("nd it.")
        await terminal.press("ctrl+s")
        await terminal.until(lambda: kept(house) == [("tom_k", "You can park behind it.")])
        await terminal.press("escape")
        await terminal.is_at("tom_k")


@pytest.mark.promise
async def test_what_was_typed_survives_leaving_in_any_way(house: House) -> None:
    dice = random.Random(3)
    for number, leave in enumerate(("escape", "ctrl+d", "ctrl+q", None)):
        text = f"words {number} {dice.random()}"
        async with house.terminal() as terminal:
            await terminal.go_to("tom_k")
            await terminal.press("r")
            await terminal.sees("reply to @tom_k")
            await terminal.type(text)
            if leave:
                await terminal.press(leave)
        assert kept(house)[0][1].endswith(text)


@pytest.mark.promise
async def test_a_composer_that_forgets_is_noticed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def save(self: ComposerScreen) -> None:
        return None

    monkeypatch.setattr(ComposerScreen, "_save", save)
    monkeypatch.setattr(ComposerScreen, "_save_now", lambda self: None)
    with pytest.raises((AssertionError, IndexError)):
        await test_what_was_typed_survives_leaving_in_any_way(house)


@pytest.mark.promise
async def test_two_peoples_drafts_on_one_case_stay_apart(house: House) -> None:
    async with house.terminal((80, 40)) as terminal:
        await terminal.write("tom_k", "by Asha")
        await terminal.press("escape", "at", "2")
        await terminal.sees("duty: Bryn")
        await terminal.press("r", "T")
        await terminal.sees("reply to @tom_k", "0/280")
        assert "by Asha" not in terminal.text
        await terminal.type("by Bryn")
        await terminal.press("escape")
        await terminal.sees("DRAFT (public) Asha", "by Asha", "DRAFT (public) Bryn", "by Bryn")
    assert kept(house) == [("tom_k", "by Asha")]
    assert kept(house, "Bryn") == [("tom_k", "by Bryn")]


async def test_discard_asks_and_z_restores(house: House) -> None:
    async with house.terminal() as terminal:
        await terminal.review("tom_k", "Behind the clinic.")
        await terminal.press("X")
        await terminal.sees("X again discards the draft; z brings it back")
        await terminal.press("enter")
        await terminal.stays(lambda: kept(house) != [], 0.1)
        await terminal.press("X")
        await terminal.sees("the draft is discarded - z brings it back")
        assert kept(house) == []
        await terminal.press("z")
        await terminal.sees("the draft is back (r opens it)")
        assert kept(house) == [("tom_k", "Behind the clinic.")]


@pytest.mark.parametrize(("keys", "says"), [(("p",), "the draft is kept"), (("q",), "PUBLIC")])
async def test_the_review_is_left_without_sending(
    house: House, keys: Sequence[str], says: str
) -> None:
    async with house.terminal() as terminal:
        await terminal.review("tom_k", "Behind the clinic.")
        await terminal.press(*keys)
        await terminal.sees(says)
        assert (states(house), len(kept(house))) == ([], 1)


# -- what the network says ----------------------------------------------------------------------


async def test_a_refused_answer_comes_back_as_a_draft_with_the_reason(tmp_path: Path) -> None:
    house = build(tmp_path, take_back=0)
    await house.listen()
    await house.ask("POST", "/practice/people", {"handle": "maz_h", "blocks_us": True})
    async with house.terminal((80, 40)) as terminal:
        await terminal.review("maz_h", SORRY)
        await terminal.press("y")
        await terminal.until(lambda: states(house) == ["refused"])
        await terminal.go_to("maz_h")
        await terminal.sees("SEND REFUSED", "DRAFT (public) Asha")
        await terminal.sees("ROUTE none, nobody can answer in public: They have blocked us.")
        await terminal.press("O")
        await terminal.sees("These need you.", "refused: @maz_h")
        await terminal.press("1")
        await terminal.sees("refused: the text is a draft.")
        await terminal.press("d")
        await terminal.until(lambda: states(house) == ["taken back"])
        await terminal.press("O")
        await terminal.sees("OUTBOX", "PUT ASIDE")
    assert kept(house) == [("maz_h", SORRY)]
    assert house.ours() == []


async def unknown(house: House, terminal: Terminal, *, stored: bool) -> None:
    """An answer whose outcome nobody knows: the line broke while it was sent."""
    failure = {"path": "/2/tweets", "method": "POST", "drop": True, "stored": stored}
    await house.set(fail_next=[failure])
    await terminal.review("maz_h", SORRY)
    await terminal.press("y")
    await terminal.until(lambda: states(house) == ["unknown"])
    await terminal.go_to("maz_h")
    await terminal.sees("SEND UNKNOWN")
    await terminal.until(lambda: "unkn?" in terminal.cursor)
    await terminal.press("O")
    await terminal.sees("These need you.", "unknown: @maz_h")
    await terminal.press("1")
    await terminal.sees(
        "> g go to the case", "it was not sent: I have looked", "it was sent: look for it again"
    )


async def test_an_unknown_outcome_that_arrived_is_settled_by_looking(tmp_path: Path) -> None:
    house = build(tmp_path, take_back=0)
    await house.listen()
    async with house.terminal((80, 40)) as terminal:
        await unknown(house, terminal, stored=True)
        await terminal.press("n")
        await terminal.sees("It is too early to know")
        await terminal.press("O", "1", "w")
        await terminal.sees("The address of the answer, if you have it")
        await terminal.press("enter")
        await terminal.sees("sent: @maz_h")
    assert states(house) == ["sent"]
    assert house.ours() == [SORRY]


async def test_an_unknown_outcome_that_never_arrived_is_settled_by_a_person(
    tmp_path: Path,
) -> None:
    house = build(tmp_path, take_back=0)
    await house.listen()
    async with house.terminal((80, 40)) as terminal:
        # A network that shows its posts at once, so that looking needs no minute and a half.
        quick = Capabilities(settle_seconds=0.0, request_seconds=0.5)
        terminal.crew.networks["trust"].capabilities = quick
        await unknown(house, terminal, stored=False)
        await terminal.press("q")
        looked = "SELECT 1 FROM outbox WHERE finished_at IS NOT NULL"
        await terminal.until(lambda: bool(house.rows(looked)))
        assert states(house) == ["unknown"]
        await terminal.press("O", "1", "n")
        await terminal.sees("the text is a draft again")
    assert (states(house), kept(house)) == (["not sent"], [("maz_h", SORRY)])
    assert house.ours() == []
    assert house.writes() == ["POST /2/tweets"]  # nothing was sent again


# -- by hand ------------------------------------------------------------------------------------


async def hand_off(house: House, terminal: Terminal, text: str = SORRY) -> str:
    """A post that does not name us: answered in a browser. Returns the address shown."""
    await terminal.go_to("wes_cold")
    await terminal.sees("ROUTE public reply, shut")
    await terminal.sees_no("($0.")
    await terminal.press("r")
    await terminal.sees(
        "PUBLIC reply by browser to @wes_cold on X as @StElsewhere",
        "ROUTE browser: X lets programs answer only people who",
        "ctrl+d review and hand over",
        "esc leave",
    )
    await terminal.type(text)
    await terminal.press("ctrl+d")
    await terminal.sees("REVIEW PUBLIC reply by browser to @wes_cold", "y hand over to the browser")
    await terminal.press("enter", "enter")
    await terminal.stays(lambda: states(house) == [], 0.1)
    await terminal.press("y")
    await terminal.sees("HAND-OFF Post your answer to @wes_cold in a browser", "I posted it")
    assert terminal.app.clipboard == text
    await terminal.press("Y")
    await terminal.sees("the address was copied")
    address = terminal.app.clipboard
    inside = (one[one.find("│") : one.rfind("│")] for one in terminal.lines())
    assert address in "".join(one.strip("│ ") for one in inside)
    assert f"in_reply_to={house.id_of('cold')}" in address
    await terminal.press("c")
    assert terminal.app.clipboard == text
    await terminal.press("enter")
    await terminal.stays(lambda: states(house) == ["hand-off"], 0.1)
    return address


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_hand_off_is_found_in_our_own_timeline(house: House, size: tuple[int, int]) -> None:
    async with house.terminal(size) as terminal:
        await hand_off(house, terminal)
        cold = house.id_of("cold")
        await house.post("StElsewhere", SORRY + " x", reply_to=cold)
        await terminal.press("p")
        await terminal.sees("sent: answer to @wes_cold")
        assert states(house) == ["sent"]
        assert house.case("wes_cold", "state") == ("done",)
    assert house.writes() == []


async def test_a_hand_off_is_found_later_too(house: House) -> None:
    async with house.terminal() as terminal:
        await hand_off(house, terminal)
        await terminal.press("p")
        await terminal.sees("Not found in our own timeline yet")
        assert states(house) == ["hand-off"]
        await house.post("StElsewhere", SORRY, reply_to=house.id_of("cold"))
        await terminal.press("O")
        await terminal.sees("These need you.", "hand-off: @wes_cold")
        await terminal.press("1", "w")
        await terminal.sees("sent: @wes_cold")
    assert states(house) == ["sent"]


async def test_a_hand_off_that_was_not_posted_is_a_draft_again(house: House) -> None:
    async with house.terminal() as terminal:
        await hand_off(house, terminal)
        await terminal.press("n")
        await terminal.sees("not sent")
        assert (states(house), kept(house)) == (["not sent"], [("wes_cold", SORRY)])
        await terminal.press("r")
        await terminal.sees("reply by browser to @wes_cold", SORRY[:40])


async def test_a_hand_off_left_open_asks_again(house: House) -> None:
    async with house.terminal() as terminal:
        await hand_off(house, terminal)
        await terminal.press("q")
        await terminal.sees("handed off")
        await terminal.press("O")
        await terminal.sees("hand-off: @wes_cold")
        await terminal.press("1", "n")
        await terminal.sees("the text is a draft again")
