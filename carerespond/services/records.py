"""One JSON record a line: reads it, or says what is wrong with it."""

import json
from collections.abc import Mapping
from typing import Any

LONGEST_LINE = 8 * 1024 * 1024  # bytes; a page of 100 posts is about 200 kB


def read_record(raw: bytes) -> Mapping[str, Any]:
    """The record of one line.

    Raises:
        ValueError: It is none; says why in words for the person whose file it is.
        RecursionError: It is nested too deeply.
    """
    if len(raw) > LONGEST_LINE:
        raise ValueError(f"longer than {LONGEST_LINE // 1024 // 1024} MiB")
    try:
        record = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1})") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}"
        ) from None
    except ValueError:  # Python's guard against numbers of thousands of digits
        raise ValueError("a number in it is beyond all use") from None
    if not isinstance(record, dict):
        raise ValueError("not a record in { }")  # noqa: TRY004 - a bad line, not a bug
    return record
