#!/usr/bin/env python3
"""Logs in by org.otpd.Session with the Varlink client of the package `varlink`, which reads how from the interface that
otpd-login itself describes.

introspect_session.py SOCKET USER PASSWORD CODE
Prints JSON: the description, and what was said at the end.
"""
import json
import sys

import varlink

address, user, password, code = sys.argv[1:]
with varlink.Client(address) as client:
    service = client.open("org.varlink.service")
    info = service.GetInfo()
    assert info["product"] == "otpd-login", info
    assert info["interfaces"] == ["org.varlink.service", "org.otpd.Session"], info
    described = service.GetInterfaceDescription("org.otpd.Session")["description"]
    session = client.open("org.otpd.Session", namespaced=False, connection=service._connection)
    asked = session.Open(user, password, "192.0.2.7")["step"]
    assert asked["next"] == "ask" and asked["echo"] is False, asked
    done = session.Answer(code)["step"]
print(json.dumps({"described": described, "done": done}))
