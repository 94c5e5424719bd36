"""The checks of a program, in the order in which they stand in it: every one is reported, whatever it raised."""

import sys
import time

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def run_checks(*arguments):
    """Ends the program, with exit code 1 where one failed."""
    failed = 0
    for function in CHECKS:
        started = time.monotonic()
        try:
            function(*arguments)
            print(f"ok   {function.__name__} ({time.monotonic() - started:.1f} s)")
        except Exception as error:
            failed += 1
            print("FAIL", function.__name__, repr(error))
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
