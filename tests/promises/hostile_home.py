"""An installation in a folder of its own, with the real program, or one that has a planted bug."""

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import carerespond
from tests.promises.hostile_server import US
from tests.promises.oracle import Terminal, environment

CONFIG = """\
[organisation]
name = {text}
signature = {text}
[inbox]
take_back_seconds = 0
[[account]]
id = "x"
network = "x"
handle = "StElsewhere"
user_id = "{us}"
base_url = "{address}"
[[search]]
id = "one"
name = {text}
account = "x"
query = "st elsewhere"
purpose = "to hear"
[[service]]
id = "ward"
name = {text}
nicknames = ["zebra"]
story_link = "https://nhs.example/tell"
[[operator]]
name = {text}
[[operator]]
name = "Bryn"
[[template]]
id = "t"
name = {text}
text = "Dear $first_name, sorry."
[[template]]
id = "s"
name = "short"
text = {short}
"""


def toml(text: str) -> str:
    """A TOML string; half a pair of surrogates cannot stand in one."""
    plain = (one if one.isalnum() else f"\\U{ord(one):08X}" for one in text)
    return f'"{"".join(plain).replace("0000D800", "0000FFFD")}"'


@dataclass(frozen=True)
class Place:
    """An installation: its folder, and the program that runs there."""

    home: Path
    env: Mapping[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "carerespond")

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.program, *arguments],
            env=dict(self.env),
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def inbox(self, *arguments: str, columns: int = 160, rows: int = 110) -> Terminal:
        return Terminal([*self.program, *arguments], self.env, columns, rows)


def installed(home: Path, address: str, text: str, **env: str) -> Place:
    """An installation that is signed in to the network at the address."""
    home.mkdir()
    safe = "".join(one for one in text if not "\ud800" <= one <= "\udfff")
    short = toml(f"Dear you, {safe[:60]}")  # short enough to leave
    config = CONFIG.format(text=toml(safe), short=short, us=US, address=address)
    (home / "config.toml").write_text(config, encoding="utf-8")
    (home / "secrets").mkdir(mode=0o700)
    token = {"access_token": "t", "refresh_token": "", "expires_at": 4e9, "client_id": "c"}
    path = home / "secrets/x.token"
    path.write_text(json.dumps(token))
    path.chmod(0o600)
    return Place(home, environment(str(home), **env))


def with_bug(place: Place, folder: Path, module: str, right: str, wrong: str) -> Place:
    """The same installation, run by a copy of the package that has one line wrong."""
    package = Path(carerespond.__file__).parent
    copied = folder / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, copied / "carerespond", ignore=ignored)
    if (package.parent / "themes").is_dir():
        shutil.copytree(package.parent / "themes", copied / "themes")
    file = copied / "carerespond" / module
    text = file.read_text(encoding="utf-8")
    assert text.count(right) == 1, "the line is there"
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    return dataclasses.replace(place, env={**place.env, "PYTHONPATH": str(copied)})
