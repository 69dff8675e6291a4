#!/usr/bin/env python3
"""A mail server for tests, on a free port of 127.0.0.1: smtp_server.py BEHAVIOUR [CERTIFICATE KEY]

Prints its port, then for each mail that it took one line of JSON: {"from", "to", "user", "content"}.
It ends with its standard input.

What it does right (aiosmtpd):
  plain         takes every mail, without TLS
  starttls      takes mail after STARTTLS and a login as nas with the password "right"
  implicit      the same, with TLS from the first byte
What it does wrong:
  greylist      451 to the first RCPT, then takes it
  no-user       550 to every RCPT
  no-relay      554 to every RCPT, because nobody is logged in
  no-sender     553 to every MAIL
  too-spammy    554 to every mail's content
  stuck         never answers a RCPT of stuck@, and takes every other mail
  no-starttls   offers no STARTTLS
  silent        takes the connection and says nothing
  drip          one byte a second
  dies          closes the connection in the middle of DATA
  floods        sends without end, and no line
  injects       has answers of a whole delivery ready in the clear, behind the one to STARTTLS
"""
import asyncio
import json
import logging
import os
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

behaviour, *certificate = sys.argv[1:]
# Connections that break are what is tested.
logging.disable()
warnings.simplefilter("ignore")


def tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def say(value):
    print(json.dumps(value), flush=True)


class Mailbox:
    """What becomes of the mails."""

    seen = False

    async def handle_MAIL(self, server, session, envelope, address, options):
        if behaviour == "no-sender":
            return "553 5.7.1 Sender address rejected: not owned by user"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if behaviour == "greylist" and not Mailbox.seen:
            Mailbox.seen = True
            return "451 4.7.1 Greylisted, come back later"
        if behaviour == "stuck" and address.startswith("stuck@"):
            say({"stuck": address})
            await asyncio.Event().wait()
        if behaviour == "no-user":
            return "550 5.1.1 User unknown"
        if behaviour == "no-relay":
            return "554 5.7.1 Relay access denied"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if behaviour == "too-spammy":
            return "554 5.7.1 This looks like spam"
        user = session.auth_data.login.decode() if session.auth_data else None
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "user": user,
            "content": envelope.content.decode("ascii"),
        })
        return "250 2.0.0 Ok: queued as 4F1A2B"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"nas" and data.password == b"right"
    return AuthResult(success=right, handled=False, auth_data=data)


def real_server():
    if behaviour == "starttls":
        return SMTP(Mailbox(), tls_context=tls(), require_starttls=True, auth_required=True,
                    authenticator=authenticate)
    if behaviour == "implicit":
        # The connection is encrypted already, which the server does not know.
        return SMTP(Mailbox(), auth_required=True, auth_require_tls=False, authenticator=authenticate)
    return SMTP(Mailbox())


async def dialogue(reader, writer, data):
    """A server by hand, as far as DATA, which `data` goes on with."""
    writer.write(b"220 nas ESMTP\r\n")
    while line := await reader.readline():
        word = line.split()[0].upper() if line.split() else b""
        if word == b"EHLO":
            writer.write(b"250-nas\r\n" + (b"250-STARTTLS\r\n" if behaviour == "injects" else b"") + b"250 HELP\r\n")
        elif word in (b"DATA", b"STARTTLS"):
            await data(reader, writer)
            return
        else:
            writer.write(b"250 OK\r\n")


async def die(reader, writer):
    writer.write(b"354 go on\r\n")
    await reader.readline()


async def inject(reader, writer):
    # An EHLO, a MAIL, a RCPT, a DATA, a mail, a QUIT: all of it made up.
    writer.write(b"220 go on\r\n" + b"250 nas\r\n" + 2 * b"250 OK\r\n" + b"354 go on\r\n" + b"250 queued\r\n")
    context = tls()
    await writer.drain()
    await writer.start_tls(context)
    await reader.read()


async def faulty(reader, writer):
    try:
        if behaviour == "silent":
            await reader.read()
        elif behaviour == "drip":
            for byte in b"220 " + 100_000 * b"x":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        elif behaviour == "floods":
            while True:
                writer.write(b"2" * 65536)
                await writer.drain()
        elif behaviour == "dies":
            await dialogue(reader, writer, die)
        elif behaviour == "injects":
            await dialogue(reader, writer, inject)
    except OSError:
        pass
    finally:
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    if behaviour in ("silent", "drip", "floods", "dies", "injects"):
        server = await asyncio.start_server(faulty, "127.0.0.1", 0)
    else:
        context = tls() if behaviour == "implicit" else None
        server = await loop.create_server(real_server, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.new_event_loop().run_until_complete(main())
sys.stdout.flush()
# Not by the interpreter's own end: a connection that hangs is no reason to wait.
os._exit(0)
