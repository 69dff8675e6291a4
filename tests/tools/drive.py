#!/usr/bin/env python3
"""Runs a program on a terminal of its own and answers its prompts, in order.

drive.py '[{"regex": "answer", ...}, ...]' COMMAND...
A step answers the first of its prompts that comes. The answer null ends the program;
an answer in a list is typed when the terminal no longer shows what is typed; for @PATH
the first line is typed that comes out of that pipe. {"again": answer} is typed each
second until more is shown, for a program that drops what came before it listened.
What the program shows is printed. Exits as the program does, 97 if a prompt did not
come, 98 after 60 seconds.
"""
import json
import os
import pty
import re
import select
import signal
import sys
import termios
import time

steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])

seen, shown, deadline, ended = "", "", time.monotonic() + 60, False
again, typed = "", 0.0
while True:
    ready, _, _ = select.select([terminal], [], [], 0.1)
    if not ready:
        if again and time.monotonic() > typed + 1:
            os.write(terminal, again.encode() + b"\n")
            typed = time.monotonic()
        # What the program left behind may hold on to the terminal.
        if ended:
            break
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if time.monotonic() < deadline:
            continue
        sys.stdout.write(shown)
        sys.exit(98)
    try:
        chunk = os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        chunk = ""
    if not chunk:
        break
    seen, shown, again = seen + chunk, shown + chunk, ""
    while steps:
        answers = [(match, answer) for prompt, answer in steps[0].items() if (match := re.search(prompt, seen))]
        if not answers:
            break
        match, answer = answers[0]
        seen = seen[match.end():]
        if answer is None:
            # What it started too: a locker without a terminal would spin for ever.
            os.killpg(pid, signal.SIGKILL)
        else:
            if isinstance(answer, dict):
                again, typed, answer = answer["again"], time.monotonic(), answer["again"]
            if isinstance(answer, list):
                answer, = answer
                while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < deadline:
                    time.sleep(0.002)
            if answer.startswith("@"):
                signal.alarm(60)
                with open(answer[1:]) as pipe:
                    answer = pipe.readline().rstrip("\n")
                signal.alarm(0)
            os.write(terminal, answer.encode() + b"\n")
        steps.pop(0)

sys.stdout.write(shown)
_, status = os.waitpid(pid, 0)
sys.exit(97 if steps else os.waitstatus_to_exitcode(status) & 255)
