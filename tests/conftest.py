"""What holds for all tests."""

import signal

# A run that a shell has put into the background has Ctrl+C switched off, and so would every program
# that it starts: their answer to Ctrl+C is among what is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
