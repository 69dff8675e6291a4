#!/usr/bin/env python3
"""A crowd on a Unix socket: many connections of many users that say little and then nothing.

crowd.py SOCKET EACH SAYING UID...
Connects EACH times as every UID. SAYING is "nothing", or "hello" for one whole call and its
reply first. Then every second connection sends half a message, and all wait. Prints
"held N" with the number that is connected, and "closed N" when the last of them was closed
by the other side.
"""
import os
import socket
import sys

path, each, saying, uids = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
HELLO = b'{"method":"org.varlink.service.GetInfo"}\0'


def connect(uid):
    connection = socket.socket(socket.AF_UNIX)
    os.seteuid(uid)
    connection.connect(path)
    os.seteuid(0)
    return connection


def reads(connection):
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


crowd = [connect(int(uid)) for uid in uids for _ in range(each)]
if saying == "hello":
    for connection in crowd:
        connection.sendall(HELLO)
    crowd = [connection for connection in crowd if reads(connection).endswith(b"\0")]
for connection in crowd[::2]:
    try:
        connection.sendall(HELLO[:20])
    except BrokenPipeError:
        pass  # Closed already, as the count below says.
print("held", len(crowd), flush=True)
closed = sum(reads(connection) == b"" for connection in crowd)
print("closed", closed, flush=True)
