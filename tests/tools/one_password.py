#!/usr/bin/env python3
"""Logs in with a client that gives one password: one_password.py imap|ftp PORT USER PASSWORD

Waits until the server listens. Prints "in" and, at the end of its standard input, logs out;
or prints what the server said instead and exits with 1.
"""
import ftplib
import imaplib
import sys
import time

protocol, port, user, password = sys.argv[1], int(sys.argv[2]), *sys.argv[3:5]
deadline = time.monotonic() + 30


def when_it_listens(connect):
    while True:
        try:
            return connect()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


try:
    if protocol == "imap":
        client = when_it_listens(lambda: imaplib.IMAP4("127.0.0.1", port, timeout=60))
        client.login(user, password)
        assert client.select()[0] == "OK"
        leave = client.logout
    else:
        client = ftplib.FTP(timeout=60)
        when_it_listens(lambda: client.connect("127.0.0.1", port))
        client.login(user, password)
        assert client.pwd() == f"/home/{user}"
        leave = client.quit
except (imaplib.IMAP4.error, ftplib.error_perm) as error:
    sys.exit(f"refused: {error}")
print("in", flush=True)
sys.stdin.read()
leave()
