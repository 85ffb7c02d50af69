"""The table of commands: every one once, with its keys and words. `ui.commands` reads it."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can do.

    Attributes:
        name: What `action_run`, the configuration's [keys] and the palette call it; unique.
        keys: Textual's names of the keys, the one to show first.
        title: A word or two for footer and palette.
        help: One sentence.
        where: "all", "list", "case", "compose", "review" or "hand_off".
        footer: Its place in the footer, from 1; 0 when it is not there.
        group: The heading it stands under in the help.
        action: The Textual action; "" stands for the application's `run` with this name.
        in_palette: False for what Enter must never do, such as sending.
    """

    name: str
    keys: tuple[str, ...]
    title: str
    help: str
    where: str
    footer: int = 0
    group: str = ""
    action: str = ""
    in_palette: bool = True


def _grouped(group: str, where: str, *commands: Command) -> tuple[Command, ...]:
    return tuple(replace(command, group=group, where=where) for command in commands)


def _command(
    name: str,
    keys: str,
    title: str,
    help_: str,
    *,
    footer: int = 0,
    action: str = "",
    in_palette: bool = True,
) -> Command:
    return Command(
        name,
        tuple(keys.split(",")),
        title,
        help_,
        "",
        footer,
        action=action,
        in_palette=in_palette,
    )


COMMANDS: Final[tuple[Command, ...]] = (
    *_grouped(
        "Answer",
        "case",
        _command("reply", "r", "reply", "Answer in public, or by hand-off to a browser.", footer=1),
        _command("note", "i", "note", "Write an internal note; it is never sent.", footer=2),
    ),
    *_grouped(
        "Decide",
        "case",
        _command("done", "e", "done", "Close the case; asks for the outcome.", footer=3),
        _command("later", "b", "later", "Put the case away until a time you choose.", footer=4),
        _command("mine", "a", "mine", "Claim the case; again releases it.", footer=5),
        _command("label", "L", "label", "Put a label on the case, or take it off.", footer=10),
        _command("star", "s", "star", "Mark the case for the next shift.", footer=12),
        _command(
            "mute",
            "m",
            "mute",
            "Close the conversation and hide further posts of it.",
            footer=13,
        ),
        _command(
            "not_about_us",
            "exclamation_mark",
            "not us",
            "Close the case as not about us.",
            footer=11,
        ),
        _command("raise", "plus", "raise", "Move the case one priority up."),
        _command("lower", "minus", "lower", "Move the case one priority down."),
        _command(
            "always",
            "equals_sign",
            "always",
            "Make a rule of it; shows first what it would move.",
        ),
        _command("unread", "U", "unread", "Mark the case as not read."),
    ),
    *_grouped(
        "Know",
        "case",
        _command("why", "w", "why", "Show every rule that put the case where it is.", footer=6),
        _command(
            "open_browser",
            "o",
            "open",
            "Show the post's address; opens it with a configured opener.",
            footer=14,
        ),
        _command("copy", "y", "copy", "Copy the words of the post."),
        _command("copy_link", "Y", "copy link", "Copy the address of the post."),
        _command("scroll_detail_down", "J", "detail down", "Scroll the conversation down."),
        _command("scroll_detail_up", "K", "detail up", "Scroll the conversation up."),
    ),
    *_grouped(
        "Move",
        "list",
        _command("down", "j,down", "down", "Go to the next case."),
        _command("up", "k,up", "up", "Go to the case before."),
        _command("page_down", "pagedown,ctrl+f", "page down", "Go a page down."),
        _command("page_up", "pageup", "page up", "Go a page up."),
        _command("top", "g,home", "top", "Go to the first case."),
        _command("bottom", "G,end", "bottom", "Go to the last case."),
        _command("lane_left", "h,left", "pane left", "Show the pane to the left."),
        _command("lane_right", "l,right", "pane right", "Show the pane to the right."),
        _command("lane_1", "1", "urgent", "Show the urgent cases."),
        _command("lane_2", "2", "today", "Show the cases for today."),
        _command("lane_3", "3", "soon", "Show the cases that can wait a little."),
        _command("lane_4", "4", "praise", "Show the thanks and praise."),
        _command("lane_5", "5", "watch", "Show the cases that need no answer."),
        _command("lane_all", "0", "all panes", "Show every pane."),
        _command(
            "next_waiting",
            "right_square_bracket",
            "next waiting",
            "Go to the next case that waits for an answer.",
        ),
        _command(
            "prev_waiting",
            "left_square_bracket",
            "previous waiting",
            "Go to the case before that waits for an answer.",
        ),
        _command("open", "enter", "open", "Open the case and read its conversation."),
    ),
    *_grouped(
        "Pick and find",
        "list",
        _command("mark", "space", "mark", "Mark the case and go down; verbs act on all marked."),
        _command(
            "mark_range", "v", "range", "Mark from here to where the cursor goes; again ends."
        ),
        _command("find", "slash", "find", "Go to a case in this list by its words.", footer=8),
        _command("find_next", "n", "find next", "Go to the next case found."),
        _command("find_prev", "N", "find previous", "Go to the found case before."),
        _command("filter", "backslash", "filter", "Show only the cases that contain some words."),
    ),
    *_grouped(
        "Undo and check",
        "list",
        _command("undo", "z", "undo", "Take back a send in its window, else undo.", footer=7),
        _command("redo", "Z", "redo", "Do again what was undone."),
        _command("repeat", "full_stop", "repeat", "Repeat the last verb here; never a send."),
        _command(
            "check_now", "comma,f5", "check now", "Ask the networks now; shows the price first."
        ),
    ),
    *_grouped(
        "Views",
        "all",
        _command("search", "F", "search", "Search the words of every stored post."),
        _command("drafts", "D", "drafts", "Show your drafts, and open one."),
        _command(
            "outbox",
            "O",
            "outbox",
            "Show hand-offs, sends of unknown outcome, and what was sent.",
        ),
        _command("health", "W", "sources", "Show what we watch: each source, its state and cost."),
        _command("presence", "at", "who is here", "Show who is here, and change the operator."),
    ),
    *_grouped(
        "Everywhere",
        "all",
        _command("help", "question_mark,f1", "help", "Show the keys that act here.", footer=15),
        _command("palette", "colon,ctrl+p", "commands", "Choose a command by its name.", footer=9),
        _command(
            "back", "q,escape", "back", "Leave what is open; on the list: the filter or marks."
        ),
        _command("quit", "ctrl+q", "quit", "Leave; asks while something is being sent."),
        _command("redraw", "ctrl+l", "redraw", "Paint the whole screen again."),
        _command("next_pane", "tab", "next part", "Go to the next part of the screen."),
        _command("prev_pane", "shift+tab", "part before", "Go to the part of the screen before."),
    ),
    *_grouped(
        "While writing (every other key is text)",
        "compose",
        _command(
            "review",
            "ctrl+d",
            "review",
            "Keep the draft and review it; a note is filed.",
            footer=1,
            action="review",
        ),
        _command(
            "keep", "ctrl+s", "keep", "Keep the draft now; it never sends.", footer=2, action="keep"
        ),
        _command(
            "templates",
            "ctrl+t",
            "templates",
            "Put a template in, filled for this case.",
            footer=3,
            action="templates",
        ),
        _command(
            "editor",
            "ctrl+o",
            "editor",
            "Write in the editor that $VISUAL or $EDITOR names.",
            footer=6,
            action="editor",
        ),
        _command(
            "insert_link",
            "f3",
            "link",
            "Put in one of the configured addresses.",
            footer=4,
            action="insert_link",
        ),
        _command(
            "checks", "f4", "checks", "Show all checks of the text.", footer=5, action="checks"
        ),
        _command("leave", "escape", "leave", "Leave; the draft is kept.", footer=7, action="leave"),
    ),
    *_grouped(
        "In the review (Enter never sends)",
        "review",
        _command(
            "send",
            "y",
            "send",
            "Put the answer in the outbox; z takes it back in its window.",
            footer=1,
            action="send",
            in_palette=False,
        ),
        _command("edit", "e", "edit", "Go back to the text.", footer=2, action="leave('edit')"),
        _command(
            "postpone",
            "p",
            "postpone",
            "Keep the draft for later.",
            footer=3,
            action="leave('postpone')",
        ),
        _command(
            "discard",
            "X",
            "discard",
            "Discard the draft; asks, and z brings it back.",
            footer=4,
            action="discard",
            in_palette=False,
        ),
        _command(
            "seen", "enter", "read", "Say that you have read what changed meanwhile.", action="seen"
        ),
        _command(
            "back_to_edit",
            "q,escape",
            "back",
            "Go back to the text.",
            footer=5,
            action="leave('edit')",
        ),
        _command("review_down", "j,down", "down", "Scroll down.", action="scroll_by(1)"),
        _command("review_up", "k,up", "up", "Scroll up.", action="scroll_by(-1)"),
        _command(
            "review_page_down",
            "pagedown,ctrl+f",
            "page down",
            "Scroll far down.",
            action="scroll_by(10)",
        ),
        _command("review_page_up", "pageup", "page up", "Scroll far up.", action="scroll_by(-10)"),
    ),
    *_grouped(
        "In the hand-off to a browser",
        "hand_off",
        _command(
            "posted",
            "p",
            "I posted it",
            "Say that it is posted; our timeline is searched for it.",
            footer=1,
            action="leave('posted')",
            in_palette=False,
        ),
        _command(
            "not_posted",
            "n",
            "not posted",
            "Say that it is not posted; the text is a draft again.",
            footer=2,
            action="leave('not posted')",
        ),
        _command(
            "copy_again", "c", "copy text", "Copy the text again.", footer=3, action="copy_text"
        ),
        _command(
            "copy_address", "Y", "copy address", "Copy the address.", footer=4, action="copy_link"
        ),
        _command(
            "open_address", "o", "open", "Start the configured opener.", footer=5, action="open"
        ),
        _command(
            "answer_later",
            "q,escape",
            "later",
            "Leave the question open; it waits in the outbox.",
            footer=6,
            action="leave('later')",
        ),
        _command("hand_off_down", "j,down", "down", "Scroll down.", action="scroll_by(1)"),
        _command("hand_off_up", "k,up", "up", "Scroll up.", action="scroll_by(-1)"),
        _command(
            "hand_off_page_down",
            "pagedown,ctrl+f",
            "page down",
            "Scroll far down.",
            action="scroll_by(10)",
        ),
        _command(
            "hand_off_page_up", "pageup", "page up", "Scroll far up.", action="scroll_by(-10)"
        ),
    ),
)
