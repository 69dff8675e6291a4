#!/usr/bin/env python3
"""A crowd at a web server: idle.py PORT COUNT ADDRESSES

Connects COUNT times to 127.0.0.1, from that many addresses of 127.0.0.0/8 in turns, and says
nothing but, on every second connection, the first words of a request. Prints "connected N"
and holds them until its standard input ends.
"""
import resource
import socket
import sys

port, count, addresses = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
crowd = []
for number in range(count):
    connection = socket.socket()
    host = number % addresses
    connection.bind((f"127.1.{host // 250}.{host % 250 + 1}", 0))
    connection.connect(("127.0.0.1", port))
    if number % 2:
        try:
            connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        except OSError:
            pass  # Closed already, as many are.
    crowd.append(connection)
print("connected", len(crowd), flush=True)
sys.stdin.read()
