"""The real program with its preview switched off, so that the list alone is measured.

python -m tests.benchmarks.lean [ARGUMENTS OF carerespond]
"""

import sys

from carerespond.cli.main import main
from carerespond.ui.app import CarerespondApp

if __name__ == "__main__":
    # Nothing switches the preview off from the command line; tests of screens do it this way too.
    CarerespondApp.__init__.__kwdefaults__ = {"preview": False}
    sys.exit(main(sys.argv[1:]))
