"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vlm_ros.diagnosis import cameras, engines, gpu, libraries, memory, power, ros, system
from vlm_ros.diagnosis.finding import Finding, doubtful
from vlm_ros.diagnosis.machine import Machine, Unanswered

Check = Callable[[Machine], Finding]

CHECKS: Sequence[Check] = tuple(
    check for theme in (system, memory, power, gpu, libraries, ros, cameras, engines) for check in theme.CHECKS
)


def diagnose(machine: Machine, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """What every check finds on ``machine``. One that fails says so and keeps none of the others from looking."""
    return [_found(check, machine) for check in checks]


def _found(check: Check, machine: Machine) -> Finding:
    name = check.__name__.removeprefix("check_").replace("_", " ")
    try:
        return check(machine)
    except Unanswered as error:
        value = f"{error}: the machine is busy, or this was asked for the first time"
        return doubtful(name, value, "vlm_ros doctor  # again; where it stays so, that hangs")
    except ImportError as error:
        return doubtful(name, f"cannot be told ({error})", f"pip install {error.name}")
    except Exception as error:  # a doctor that dies of what it finds helps nobody
        return doubtful(name, f"cannot be told ({error!r})", "vlm_ros doctor --json  # and please report what it says")
