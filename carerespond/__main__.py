"""Starts carerespond: `python -m carerespond` and the `carerespond` command."""

import logging
import os
import resource
import sys
import threading

EXIT_INTERRUPTED = 130  # as shells report Ctrl-C


def _say_nothing_of_it(kind: type[BaseException], _: BaseException, __: object) -> None:
    """The last word on a fault that nobody has taken: a message may hold anything."""
    sys.stderr.write(f"carerespond: something went wrong inside the program ({kind.__name__}).\n")


def run() -> None:
    """Run the command line and leave with its exit code, though its terminal may be gone."""
    sys.excepthook = _say_nothing_of_it
    threading.excepthook = lambda _: None  # what uses the thread tells of it
    logging.getLogger().addHandler(logging.NullHandler())  # else faults of tasks are printed
    # Every file that is made is its owner's alone; memory with tokens in it is never written out.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name that this terminal has no letters for
    try:
        from carerespond.cli.main import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:  # Python would flush again at its end, complain, and leave with 120
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


if __name__ == "__main__":
    run()
