"""Run programs and measure them: wall clock, and the most memory they held."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What wait4 counts in.
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


class FailedProgramError(Exception):
    """A program that was to be measured failed; the message ends as its output did."""


@dataclass(frozen=True)
class Run:
    """One run of a program: its seconds, its peak memory in bytes, what it printed."""

    seconds: float
    peak_bytes: int
    output: str


def run(
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path,
) -> Run:
    """Run a program to its end; what it prints goes to a file.

    Linux counts the memory of this process, from which the program is started, as
    part of the program's peak: this process has to stay small.

    Raises:
        FailedProgramError: if it ends with another exit code than 0.
    """
    with log.open("w+", encoding="utf-8") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            arguments, cwd=cwd, env=environment, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise FailedProgramError(f"{arguments} ended so:\n{text[-3_000:]}")
    return Run(seconds, usage.ru_maxrss * MEMORY_UNIT, text)


def clean_environment(**settings: str | Path) -> dict[str, str]:
    """Take this process's environment, with the project's settings replaced."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIDGIN_", "DBT_"))
    }
    return kept | {name: str(value) for name, value in settings.items()}
