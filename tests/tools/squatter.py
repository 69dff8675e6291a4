#!/usr/bin/env python3
"""A server of somebody else's: squatter.py SOCKET UID

Binds the socket as root and listens as UID. Says "accept" to whoever calls, and prints what it was sent.
"""
import os
import socket
import sys

path, uid = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_UNIX)
server.bind(path)
os.chmod(path, 0o666)
os.setresuid(uid, uid, uid)
server.listen()
print("listening", flush=True)
while True:
    peer, _ = server.accept()
    with peer:
        print(peer.recv(65536).decode() or "nothing", flush=True)
        try:
            peer.sendall(b'{"parameters":{"step":{"next":"not_required","why":"squatted"}}}\0')
        except OSError:
            pass
