"""Writing in a person's own editor, by way of a private file that is gone afterwards."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path


def edit(text: str) -> str | None:
    """Open the editor of $VISUAL or $EDITOR on the text; None when it did not end well.

    The file is readable by its owner alone, in the memory-backed folder of the session where there
    is one, and removed whatever happens.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    folder = os.environ.get("XDG_RUNTIME_DIR")
    handle, name = tempfile.mkstemp(suffix=".txt", prefix="carerespond-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([*command, name], check=False)  # noqa: S603 - the person's own choice
        return path.read_text(encoding="utf-8").rstrip("\n") if done.returncode == 0 else None
    except (OSError, UnicodeDecodeError):
        return None
    finally:
        path.unlink(missing_ok=True)
