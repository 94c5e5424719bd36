"""The checks of a program, in the order in which they stand in it: every one is reported, whatever it raised."""

import sys
import time

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def refused(kind, code, param, call):
    """The call raises `kind` with this code and param."""
    try:
        call()
    except kind as error:
        assert (error.code, error.param) == (code, param), (error.code, error.param)
        return
    raise AssertionError(f"{kind.__name__} was not raised")


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
