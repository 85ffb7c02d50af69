from pathlib import Path

import pytest

from carerespond.config import X_PRICES, find_home, load_config, parse_config
from carerespond.domain.errors import ConfigError

WHOLE = """\
[organisation]
name = "St Elsewhere NHS Trust"

[[account]]
id = "x"
network = "x"
handle = "StElsewhere"

[[service]]
id = "eye"
name = "Eye clinic"
story_link = "https://stories.example/eye"

[[search]]
id = "names-us"
name = "Names us"
account = "x"
query = '"St Elsewhere"'
purpose = "hear what patients say"
service = "eye"

[[operator]]
name = "Priya"

[budget]
daily_usd = 2
"""

CARD = """
[[safety]]
title = "Chest pain"
numbers = ["999"]
rules = ["risk_danger"]
tell = ["the site manager"]
"""


def test_a_whole_file_becomes_a_config() -> None:
    config = parse_config(WHOLE, "config.toml")
    assert config.organisation == "St Elsewhere NHS Trust"
    assert config.accounts[0].handle == "StElsewhere"
    assert config.searches[0].service == "eye"
    assert config.operators == ("Priya",)
    assert config.budget.daily_usd == 2
    assert config.prices == X_PRICES


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("daily_usd", "daly_usd", ["line 26", "'daly_usd'", "[budget]", "'daily_usd'"]),
        ("daily_usd = 2", 'daily_usd = "2"', ["line 26", "daily_usd", "a number"]),
        ("daily_usd = 2", "daily_usd = -2", ["line 26", "out of range"]),
        ('handle = "StElsewhere"', "", ["line 4", "[account] has no handle"]),
        ('account = "x"', 'account = "y"', ["line 17", "'y'", "[[account]]"]),
        ('service = "eye"', 'service = "ear"', ["line 20", "'ear'"]),
        ("https://stories.example/eye", "javascript:alert(1)", ["line 12", "https address"]),
        ("https://stories.example/eye", "https://user@stories.example/", ["line 12"]),
        ('"StElsewhere"', '"@StElsewhere"', ["line 7", "without the @"]),
        ("[budget]", "[inbox]\nrail = ['weather']\n[budget]", ["line 26", "person"]),
        ("daily_usd = 2", "daily_usd = nan", ["line 26", "out of range", "Use 0 to"]),
        ("daily_usd = 2", "soft_percent = 80.5", ["line 26", "a whole number"]),
        ("daily_usd = 2", "soft_percent = true", ["line 26", "a whole number"]),
        ("daily_usd = 2", f"daily_usd = 0x{'f' * 9000}", ["line 26", "out of range"]),
        ("daily_usd = 2", f"daily_usd = {'9' * 9000}", ["not valid TOML"]),
        ("daily_usd = 2", f"daily_usd = {'[' * 99_999}", ["not valid TOML"]),
        ("[budget]", "[bugdet]", ["line 25", "'bugdet'", "'budget'"]),
        ("[budget]", "[[budget]]", ["line 25", "not a table"]),
        ("[[operator]]", "[operator]", ["line 22", "[[operator]]"]),
        ('name = "Priya"', "name = ", ["line 23", "not valid TOML"]),
        ('purpose = "hear what patients say"', "", ["line 14", "no purpose"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_remedy(
    old: str, new: str, words: list[str]
) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigError) as caught:
        parse_config(WHOLE.replace(old, new, 1), "config.toml")
    assert "config.toml" in str(caught.value)
    assert caught.value.remedy
    for word in words:
        assert word in str(caught.value)


def test_a_safety_card_is_read_and_belongs_to_the_organisation() -> None:
    card = parse_config(WHOLE + CARD, "config.toml").safety[0]
    assert (card.title, card.numbers, card.rules) == ("Chest pain", ("999",), ("risk_danger",))
    assert (card.tell, card.avoid, card.is_example) == (("the site manager",), (), False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "Chest pain"', "", ["line 28", "[safety] has no title"]),
        ('numbers = ["999"]', "", ["line 28", "[safety] has no numbers"]),
        ('numbers = ["999"]', "numbers = []", ["line 30", "has no numbers"]),
        ('numbers = ["999"]', 'numbers = "999"', ["line 30", "numbers is not a list of at most"]),
        ('numbers = ["999"]', 'numbers = [" "]', ["line 30", "words or a number in it"]),
        ('tell = ["the', 'tel = ["the', ["line 32", "'tel'", "Did you mean 'tell'"]),
        ("risk_danger", "risk_dangr", ["line 31", "'risk_dangr'", "never be shown", "risk_danger"]),
        ("risk_danger", "thanks", ["line 31", "'thanks'", "Chest pain"]),
        ('["risk_danger"]', "[7]", ["line 31", "rules is not a list of texts"]),
    ],
)
def test_a_mistake_in_a_safety_card_is_named_with_its_line(
    old: str, new: str, words: list[str]
) -> None:
    text = WHOLE + CARD
    assert text.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        parse_config(text.replace(old, new), "config.toml")
    for word in ("config.toml", *words):
        assert word in str(caught.value)


def test_two_safety_cards_need_two_titles() -> None:
    with pytest.raises(ConfigError, match=r"line 35: two \[\[safety\]\] are called 'Chest pain'"):
        parse_config(WHOLE + CARD + CARD, "config.toml")


def test_a_card_may_be_for_a_rule_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "rules.toml"
    text = WHOLE + CARD.replace("risk_danger", "ligature")
    source = str(tmp_path / "config.toml")
    with pytest.raises(ConfigError, match="ligature"):
        parse_config(text, source)
    own.write_text('[[group]]\nid = "ligature"\npin = true\n')
    assert parse_config(text, source).safety[0].rules == ("ligature",)
    own.write_text("[[group]]\nid = ")  # whoever loads it says what is wrong with it
    assert parse_config(text, source).safety[0].rules == ("ligature",)


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        ("https://api.x.com", True),
        ("http://127.0.0.1:8808", True),
        ("http://localhost:8808", True),
        ("http://[::1]:8808", True),
        ("http://api.x.com", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("https://api.x.com/2", False),
        ("https://user:word@api.x.com", False),
        ("ftp://api.x.com", False),
        ("", False),
    ],
)
def test_tokens_leave_this_computer_by_https_alone(address: str, is_taken: bool) -> None:
    text = WHOLE.replace('network = "x"\n', f'network = "x"\nbase_url = "{address}"\n', 1)
    if is_taken:
        assert parse_config(text, "config.toml").accounts[0].base_url == address
        return
    with pytest.raises(ConfigError, match=r"line 7: base_url is not an address such as https"):
        parse_config(text, "config.toml")


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    path.chmod(0o600)
    assert load_config(path) == parse_config(WHOLE, str(path))


def test_two_searches_of_one_name_are_refused_at_the_second() -> None:
    search = WHOLE[WHOLE.index("[[search]]") : WHOLE.index("[[operator]]")]
    with pytest.raises(ConfigError, match=r"two .*names-us"):
        parse_config(WHOLE + "\n" + search, "config.toml")


def test_a_missing_or_odd_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config(tmp_path / "config.toml")
    (tmp_path / "config.toml").write_bytes(b"name = '\xff'")
    (tmp_path / "config.toml").chmod(0o600)
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "config.toml")


def test_one_folder_keeps_everything_of_an_installation(tmp_path: Path) -> None:
    home = find_home({"CARERESPOND_HOME": str(tmp_path)})
    assert home.config_file == tmp_path / "config.toml"
    for path in (home.database, home.secrets, home.logs):
        assert tmp_path in path.parents


def test_without_it_the_platform_says_where(tmp_path: Path) -> None:
    assert "carerespond" in str(find_home({}).config_file)


def _with_query(query: str) -> str:
    return WHOLE.replace("query = '\"St Elsewhere\"'", f"query = '{query}'")


def test_a_query_may_have_512_characters_with_what_is_added() -> None:
    added = len(" -from:StElsewhere -@StElsewhere -is:retweet -is:nullcast")
    assert parse_config(_with_query("x" * (512 - added)), "config.toml").searches
    with pytest.raises(ConfigError) as refused:
        parse_config(_with_query("x" * (513 - added)), "config.toml")
    for words in ("config.toml, line 18", "'names-us'", "512", "has 513", str(added), "two"):
        assert words in str(refused.value)


def test_what_a_query_has_already_is_not_counted_twice() -> None:
    own = " -from:StElsewhere -@StElsewhere -is:retweet -is:nullcast"
    assert parse_config(_with_query("x" * (512 - len(own)) + own), "config.toml").searches
