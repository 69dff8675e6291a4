#!/usr/bin/env python3
"""A connection to a Unix socket: standard input goes in, what comes back goes to standard output.

peer.py SOCKET
Ends when the other side closes. Exits 77 if it may not connect; after two minutes without a
byte it says "too late" as a message of its own.
"""
import os
import select
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
except OSError as error:
    print(os.strerror(error.errno), file=sys.stderr)
    sys.exit(77)

watched = [connection, sys.stdin.buffer]
while True:
    ready, _, _ = select.select(watched, [], [], 120)
    received = b""
    if connection in ready:
        try:
            received = connection.recv(65536)
        except ConnectionError:
            pass
        if not received:
            break
    elif not ready:
        received = b'"too late"\0'
    sys.stdout.buffer.write(received)
    sys.stdout.buffer.flush()
    if not ready:
        break
    if sys.stdin.buffer in ready:
        typed = os.read(0, 65536)
        try:
            if typed:
                connection.sendall(typed)
            else:
                watched.remove(sys.stdin.buffer)
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # Closed: the next look at the connection says so.
