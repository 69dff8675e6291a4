#!/usr/bin/env python3
"""Logs in as Cockpit's web server does: cockpit_login.py USER PASSWORD ANSWER...

Starts cockpit-session, which gives the password to the first hidden prompt itself, and
answers the others. Prints each prompt, then the last message. Run it in a process
namespace of its own: the session ends with it.
"""
import base64
import json
import subprocess
import sys

user, password, *answers = sys.argv[1:]
session = subprocess.Popen(
    ["/usr/lib/cockpit/cockpit-session", "localhost"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)


def encode(text):
    return base64.b64encode(text.encode()).decode()


while True:
    length = session.stdout.readline()
    if not length:
        sys.exit(f"cockpit-session ended with {session.wait()}")
    message = json.loads(session.stdout.read(int(length)))
    if message["command"] != "authorize":
        break
    if message["challenge"] == "*":
        response = "Basic " + encode(f"{user}:{password}")
    else:
        scheme, number, prompt = message["challenge"].split(" ")
        print(base64.b64decode(prompt).decode())
        if not answers:
            sys.exit("a prompt too many")
        response = f"{scheme} {number} {encode(answers.pop(0))}"
    reply = {"command": "authorize", "cookie": message["cookie"], "response": response}
    reply = b"\n" + json.dumps(reply, separators=(",", ":")).encode()
    session.stdin.write(b"%d\n" % len(reply) + reply)
    session.stdin.flush()
print(json.dumps(message))
