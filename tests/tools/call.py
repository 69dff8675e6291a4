#!/usr/bin/env python3
"""One Varlink call without any library: call.py SOCKET METHOD PARAMETERS-AS-JSON; prints the reply."""
import json
import socket
import sys

path, method, parameters = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as peer:
    peer.connect(path)
    peer.sendall(json.dumps({"method": method, "parameters": json.loads(parameters)}).encode() + b"\0")
    reply = b""
    while not reply.endswith(b"\0"):
        chunk = peer.recv(65536)
        if not chunk:
            sys.exit("closed without a reply")
        reply += chunk
print(reply[:-1].decode())
