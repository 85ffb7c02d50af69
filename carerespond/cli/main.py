"""The argument parser, the dispatch, and the one place where a command's problem is shown."""

import argparse
import gc
import importlib
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

from carerespond import __version__
from carerespond.cli.terminal import complain, flush
from carerespond.domain.errors import CarerespondError
from carerespond.domain.text import clean

EXIT_WRONG = 2  # wrong use or configuration
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
_TEN_YEARS = 3_660

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code (see `carerespond check --help` for that command's).

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    try:
        options = build_parser().parse_args(arguments)
        return _find(options.command)(options)
    except CarerespondError as error:
        complain(f"carerespond: {error}")
        return EXIT_WRONG
    except Exception as error:  # noqa: BLE001 - the last stop: no traceback reaches a person
        from carerespond.cli.reports import write_report

        complain(
            "carerespond: something went wrong inside the program. Nothing was sent."
            f" A report without names or texts is in {write_report(error)}"
        )
        return EXIT_BUG
    finally:
        flush()


def _find(command: str) -> Command:
    """The function behind "module:name"; commands are imported only when they are run."""
    module, _, name = command.partition(":")
    gc.disable()  # loading makes no garbage, and looking for it takes longer than loading a module
    try:
        found: Command = getattr(importlib.import_module(f"carerespond.cli.{module}"), name)
    finally:
        gc.enable()
    return found


class _Parser(argparse.ArgumentParser):
    """Quotes wrong arguments cleaned: a script may have taken them from anywhere."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave, after a message on standard error."""
        super().exit(status, clean(message) if message else None)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser: argparse.ArgumentParser = _Parser(
        prog="carerespond",
        description="See what patients say in public, most pressing first; answer well and once.",
        epilog="Start here, without an account or a network:\n  carerespond practice",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"carerespond {__version__}")
    _add_inbox_options(parser)
    parser.set_defaults(command="inbox:inbox")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_practice(commands)
    _add_daily(commands)
    _add_data(commands)
    _add_triage(commands)
    _add_rules(commands)
    _add_setup(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # it has no public name


def _add(
    commands: _Commands,
    name: str,
    command: str,
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"Example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    return parser


def _add_inbox_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--look", action="store_true", help="look only: nothing can be changed")
    parser.add_argument("--as", dest="operator", metavar="NAME", help="who is at the keys")


def _add_practice(commands: _Commands) -> None:
    parser = _add(
        commands,
        "practice",
        "inbox:practice",
        "open a practice inbox: invented patients, no account, no network",
        "carerespond practice\n  carerespond practice --serve 127.0.0.1:8808",
    )
    _add_inbox_options(parser)
    parser.add_argument("--fresh", action="store_true", help="begin a new practice day")
    parser.add_argument("--seed", type=int, metavar="N", help="which day it is (default 1)")
    parser.add_argument(
        "--serve",
        metavar="HOST:PORT",
        help="no inbox: serve the practice network to other programs over HTTP",
    )


def _add_daily(commands: _Commands) -> None:
    check = _add(
        commands,
        "check",
        "daily:check",
        "print one line about what waits; no network call",
        "carerespond check || tmux display-message 'somebody waits'\n\n"
        "Exit codes: 0 nothing waits, 10 waiting, 11 urgent, 12 late, 13 a send needs a\n"
        "person, 20 a source is down, 30 budget spent, 2 wrong use or configuration.",
    )
    check.add_argument("--json", action="store_true", help="print one JSON object")
    _add(
        commands,
        "listen",
        "daily:listen",
        "listen without a screen until stopped",
        "carerespond listen          (docs/listening.md has a systemd unit)",
    )


def _add_data(commands: _Commands) -> None:
    parser = _add(
        commands,
        "import",
        "data:import_posts",
        "bring in posts from a file, one JSON record a line",
        "carerespond import posts.jsonl\n\n"
        "A line: network, id, text, created_at (ISO 8601), author {id, handle, name};\n"
        "optional: url, lang, in_reply_to, conversation, mentions_us, followers.\n"
        "A page of an X API search is taken too. A bad line is named and kept aside;\n"
        "importing a file twice changes nothing.",
    )
    parser.add_argument("file", metavar="FILE", help="the file, or - for standard input")


def _add_triage(commands: _Commands) -> None:
    parser = _add(
        commands,
        "triage",
        "triage:triage",
        "show what triage makes of a text, or score a file of texts",
        'carerespond triage --explain "nobody called us back"\n'
        "  carerespond triage --score posts.jsonl scores.jsonl\n\n"
        "Needs no account, network or database; goes by your own rules where there is a\n"
        "configuration. A line in: id, text; optional: lang. A line out, in the same\n"
        "order: id, priority_score (higher is sooner), score, label,\n"
        "selfharm, risk, noise, priority, reasons. It flags some posts, not all.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--explain", metavar="TEXT", help="one text, or - for standard input")
    what.add_argument(
        "--score", nargs=2, metavar=("IN", "OUT"), help="one JSON record a line; - for a pipe"
    )
    parser.add_argument("--shipped", action="store_true", help="leave your own rules out")


def _add_rules(commands: _Commands) -> None:
    rules = commands.add_parser(
        "rules",
        help="check the rules, see what others would move or what was learned",
        description="Check the rules of triage; see what others would move, or what was learned.",
    )
    kinds = rules.add_subparsers(title="commands", metavar="COMMAND", required=True)
    tried = _add(
        kinds,
        "try",
        "rules:try_rules",
        "show which cases would move if a file were the team's own rules",
        "carerespond rules try new-rules.toml --days 7\n\nNothing is changed.",
    )
    tried.add_argument("file", metavar="FILE", help="a rules file (docs/triage.md)")
    tried.add_argument(
        "--days", type=_days, default=30.0, metavar="N", help="how far back to look (default 30)"
    )
    checked = _add(
        kinds,
        "check",
        "rules:check_rules",
        "read all rules and try every sentence that they must match",
        "carerespond rules check\n\nExit codes: 0 right, 2 wrong.",
    )
    checked.add_argument(
        "file", metavar="FILE", nargs="?", help="a file to read in place of the team's own rules"
    )
    _add_learned(kinds)


def _days(text: str) -> float:
    """A number of days, at most ten years."""
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= _TEN_YEARS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return days


def _add_learned(kinds: _Commands) -> None:
    _add(
        kinds,
        "learned",
        "learned:learned",
        "print what was learned from your team's own moves",
        "carerespond rules learned",
    )
    forget = _add(
        kinds,
        "forget",
        "learned:forget",
        "forget what was learned, and let no earlier move count again",
        "carerespond rules forget",
    )
    forget.add_argument("--yes", action="store_true", help="do not ask")


def _add_setup(commands: _Commands) -> None:
    init = _add(
        commands,
        "init",
        "setup:init",
        "write a first configuration",
        'carerespond init --name "Fairoaks Surgery" --handle FairoaksGP',
    )
    init.add_argument("--name", help="the organisation's name")
    init.add_argument("--handle", help="its account on X, without the @")
    init.add_argument("--operator", action="append", metavar="NAME", help="somebody on the rota")
    login = _add(
        commands,
        "login",
        "setup:login",
        "sign in to a network; works over SSH",
        "carerespond login x",
    )
    login.add_argument("account", metavar="ACCOUNT", help="an account's id in config.toml")
    login.add_argument("--read-only", action="store_true", help="ask for no right to post")
    _add(
        commands,
        "doctor",
        "setup:doctor",
        "look for what is wrong with the set-up and say how to mend it",
        "carerespond doctor",
    )
