"""Asking what is not there, what crashes and what hangs."""

from __future__ import annotations

import sys

from vlm_ros.diagnosis.probes import replies_to


def ask(code, name="it", patience_s=20.0):
    return replies_to({name: (sys.executable, "-S", "-c", code)}, patience_s)[name]


def test_reply_is_what_was_printed():
    assert ask("print('1.2.3')").text == "1.2.3"


def test_library_is_absent_when_it_is_not_installed():
    assert ask("import no_such_library", "no_such_library").absent


def test_library_is_at_fault_when_it_lacks_another():
    reply = ask("import no_such_library", "it")
    assert not reply.absent
    assert "no_such_library" in reply.fault


def test_tool_is_absent_when_there_is_none():
    assert replies_to({"tool": ("no-such-tool",)})["tool"].absent


def test_crash_is_a_fault():
    assert "signal 11" in ask("import os; os.kill(os.getpid(), 11)").fault


def test_what_hangs_is_late_and_told_of_meanwhile():
    slow, waits = (sys.executable, "-S", "-c", "import time; time.sleep(60)"), []
    replies = replies_to({"slow": slow, "none": ("no-such-tool",)}, 0.5, lambda *wait: waits.append(wait), 0.1)
    assert replies["slow"].late
    assert "did not answer within 0.5 s" in replies["slow"].fault
    assert {tuple(probes) for probes, _ in waits} == {("slow",)}
    assert 0 < waits[0][1] < waits[-1][1] < 5


def test_fault_is_not_late():
    assert not ask("import no_such_library").late
