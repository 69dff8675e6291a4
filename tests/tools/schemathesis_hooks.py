"""Keeps schemathesis signed in: what it tries ends sign-ins, its own too. OTPD_WEB is where the page is, OTPD_USER and
OTPD_PASSWORD are who signs in, without a code."""

import http.client
import json
import os
from http.cookies import SimpleCookie

import schemathesis

cookies = {}
token = ""
signed_in = False


def ask(method, path, body=None):
    global token
    host = os.environ["OTPD_WEB"]
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    headers |= {"Origin": f"http://{host}", "X-OTPD-Token": token, "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request(method, "/api/v1" + path, json.dumps(body) if body else None, headers)
    reply = connection.getresponse()
    said = json.loads(reply.read())
    assert reply.status == 200, said
    for line in reply.headers.get_all("Set-Cookie") or []:
        cookies.update({name: morsel.value for name, morsel in SimpleCookie(line).items() if morsel.value})
    token = said["token"]


def sign_in():
    global signed_in
    cookies.clear()
    ask("GET", "/session")
    ask("POST", "/session", {"user": os.environ["OTPD_USER"], "password": os.environ["OTPD_PASSWORD"]})
    signed_in = True


@schemathesis.hook
def before_call(context, case, kwargs):
    if not signed_in:
        sign_in()
    case.headers = dict(case.headers or {})
    case.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    # Where it leaves the token out, it looks whether that is refused.
    for name in [name for name in case.headers if name.lower() == "x-otpd-token"]:
        case.headers[name] = token


@schemathesis.hook
def after_call(context, case, response):
    global signed_in
    is_out = case.method.upper() == "DELETE" and case.path == "/session"
    if response.status_code == 401 or is_out:
        signed_in = False
