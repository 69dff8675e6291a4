#!/usr/bin/env python3
"""Many Varlink calls without any library, each on a connection of its own.

Reads a JSON list of [SOCKET, METHOD, PARAMETERS] from standard input, and prints the list of
what came of each: the reply, or the name of the exception.
"""
import json
import socket
import sys


def call(path, method, parameters):
    message = json.dumps({"method": method, "parameters": parameters}).encode() + b"\0"
    reply = b""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(60)
        peer.connect(path)
        peer.sendall(message)
        while not reply.endswith(b"\0"):
            chunk = peer.recv(65536)
            if not chunk:
                return "closed"
            reply += chunk
    return json.loads(reply[:-1])


def attempt(one):
    try:
        return call(*one)
    except OSError as error:
        return type(error).__name__


print(json.dumps([attempt(one) for one in json.load(sys.stdin)]))
