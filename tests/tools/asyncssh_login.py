#!/usr/bin/env python3
"""Logs in with asyncssh: asyncssh_login.py PORT USER PASSWORD CODE

Prints every prompt of keyboard-interactive, then what a command on the other side says."""
import asyncio
import sys

import asyncssh

port, user, password, code = int(sys.argv[1]), *sys.argv[2:5]


class Client(asyncssh.SSHClient):
    def kbdint_auth_requested(self):
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        for prompt, _ in prompts:
            print(prompt)
        return [password if "assword" in prompt else code for prompt, _ in prompts]


async def main():
    connection = await asyncssh.connect(
        "127.0.0.1", port, username=user, known_hosts=None, client_factory=Client, config=None,
        client_keys=None, preferred_auth="keyboard-interactive",
    )
    async with connection:
        print((await connection.run("echo in as $(id -un)", check=True)).stdout, end="")


asyncio.run(main())
