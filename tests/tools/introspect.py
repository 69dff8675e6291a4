#!/usr/bin/env python3
"""Calls otpd with the Varlink client of the package `varlink`, and holds every reply and every
error against the interface that otpd itself describes: no field missing, unknown or of another type.

introspect.py ACCOUNT LOGIN USER REQUIRED
Runs as root on the two sockets and binds devices for USER, who has none. REQUIRED is somebody
who must have a device. Prints JSON: the descriptions, and the methods that answered, by interface.
"""
import json
import socket
import subprocess
import sys
import tempfile
import time

import varlink
from varlink import scanner

described, called = {}, {}


def check(interface, kind, value, where):
    """Fails unless the value is of the kind that the interface declares."""
    if isinstance(kind, scanner._Maybe):
        return value is None or check(interface, kind.element_type, value, where)
    if isinstance(kind, scanner._CustomType):
        return check(interface, interface.members[kind.name].type, value, f"{where} ({kind.name})")
    if isinstance(kind, scanner._Struct):
        assert isinstance(value, dict), f"{where}: {value!r} is no object"
        unknown = set(value) - set(kind.fields)
        assert not unknown, f"{where}: {unknown} are not declared"
        for name, field in kind.fields.items():
            check(interface, field, value.get(name), f"{where}.{name}")
    elif isinstance(kind, scanner._Object):
        assert isinstance(value, dict), f"{where}: {value!r} is no object"
    elif isinstance(kind, scanner._Array):
        assert isinstance(value, list), f"{where}: {value!r} is no list"
        for index, element in enumerate(value):
            check(interface, kind.element_type, element, f"{where}[{index}]")
    elif isinstance(kind, scanner._Enum):
        assert value in kind.fields, f"{where}: {value!r} is none of {list(kind.fields)}"
    else:
        assert type(value) is type(kind), f"{where}: {value!r} is no {type(kind).__name__}"


class Checked(varlink.SimpleClientInterfaceHandler):
    """The package's client drops what it does not know; this one looks before it does. It can pass a file, too."""

    passed = None

    def _send_message(self, out):
        if self.passed is None:
            super()._send_message(out)
        else:
            socket.send_fds(self._connection, [out + b"\0"], [self.passed])

    def _next_varlink_message(self):
        message = json.loads(next(self._next_message()))
        self._in_use = False
        if message.get("error") is not None:
            interface, name = message["error"].rsplit(".", 1)
            check(interfaces[interface], interfaces[interface].members[name].type, message["parameters"], name)
            raise varlink.VarlinkError.new(message, False)
        self.latest = message["parameters"]
        return message["parameters"], False

    def _call(self, method_name, *arguments, **named):
        result = super()._call(method_name, *arguments, **named)
        check(self._interface, self._interface.get_method(method_name).out_type, self.latest, method_name)
        called.setdefault(self._interface.name, []).append(method_name)
        return result


def error_of(call, *arguments, **named):
    try:
        reply = call(*arguments, **named)
    except varlink.VarlinkError as error:
        return error
    raise AssertionError(f"not refused: {reply}")


def code(key, steps):
    now = int(time.time()) + 30 * steps
    done = subprocess.run(["oathtool", "--totp", "--base32", f"--now=@{now}", key], capture_output=True, check=True)
    return done.stdout.decode().strip()


def bind(account, user, name):
    begun = account.Begin(user=user, name=name)
    assert begun["uri"].startswith("otpauth://totp/"), begun
    account.Confirm(user=user, device=name, code=code(begun["key"], -1))
    return begun["key"]


def probe(connection):
    """Calls every method of an interface with nothing useful: each has to be there."""
    interface = connection._interface
    for name, member in interface.members.items():
        if isinstance(member, scanner._Method):
            call = {"method": f"{interface.name}.{name}", "parameters": {"none-of-this-name": True}}
            connection._send_message(json.dumps(call).encode())
            reply = json.loads(next(connection._next_message()))
            assert reply.get("error") in (None, "org.varlink.service.InvalidParameter"), (call, reply)


def administer(client, user):
    account, admin = client.open("org.otpd.Account"), client.open("org.otpd.Admin")
    account.Status(user=user)
    key = bind(account, user, "phone")
    spare = bind(account, user, "tablet")
    account.Rename(user=user, device="tablet", name="spare")
    assert account.Resync(user=user, device="spare", first=code(spare, 0), second=code(spare, 1))["moved"] == 1
    assert [device["name"] for device in account.Devices(user=user)["devices"]] == ["phone", "spare"]
    refused = error_of(account.Unbind, user=user, device="none")
    assert refused.error() == "org.otpd.Account.Refused", refused
    assert refused.parameters()["reason"] == "no_such_device", refused
    missing = error_of(account.Confirm, user=user)
    assert isinstance(missing, varlink.InvalidParameter), missing
    account.Unbind(user=user, device="spare")
    assert len(account.Devices(user=user, retired=True)["devices"]) == 2
    assert error_of(admin.Reset, user="nobody-here").error() == "org.otpd.Admin.Refused"
    assert admin.Doctor()["checks"][0]["check"] == "registry"
    verified = admin.VerifyAudit()
    assert (verified["flaws"], verified["first"], verified["more"]) == ([], 1, False), verified
    assert admin.VerifyAudit(walk=verified["walk"], known=verified["head"])["flaws"] == []
    assert error_of(admin.VerifyAudit, known="1:zz").parameters()["reason"] == "bad_head"
    return account, admin, key


def carry_over(admin, user, key):
    """Imports the user's own key, which is refused, then another one; and finds both in the export."""
    other = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    entry = {"user": user, "key": key, "algorithm": "SHA1", "digits": 6, "period": 30, "drift": 0}
    dropped = admin.ImportBegin()["import"]
    assert admin.ImportAdd(dropped, [entry])["problems"][0]["index"] == 0
    assert error_of(admin.ImportCommit, dropped).parameters()["reason"] == "import_has_problems"
    admin.ImportDrop(dropped)
    begun = admin.ImportBegin()["import"]
    assert admin.ImportAdd(begun, [entry | {"key": other}])["problems"] == []
    assert admin.ImportCommit(begun) == {"devices": 1, "accounts": 1}
    assert admin.ImportStep(begun) == {"left": 0, "skipped": 0}
    assert [entry["key"] for entry in admin.Export()["entries"]] == [key, other]


def back_up(admin):
    """Without a file it is refused; with one, that has a backup in it."""
    assert error_of(admin.Backup, passphrase="correct horse").parameters()["reason"] == "bad_file"
    with tempfile.TemporaryFile() as file:
        Checked.passed = file.fileno()
        assert error_of(admin.Backup, passphrase="short").parameters()["reason"] == "passphrase_wrong"
        assert admin.Backup(passphrase="correct horse")["devices"] == 2
        Checked.passed = None
        assert file.seek(0, 2) > 4096


def rotate(admin):
    """otpd makes one key; another one of ours is taken, and waits."""
    assert admin.RotateKey()["key"].endswith("/registry.key")
    with tempfile.TemporaryFile() as file:
        file.write(bytes(range(32)))
        file.flush()
        file.seek(0)
        Checked.passed = file.fileno()
        assert "key" not in admin.RotateKey()
        Checked.passed = None


def mails(account, admin, mail, user):
    """What root takes out of the outbox in the place of otpd-mail."""
    mailer = {"instance": "introspect", "transport": "by hand"}
    refused = error_of(account.AddEmail, user=user, address="jane@example.org")
    assert refused.parameters()["reason"] == "no_mail", refused
    assert "message" not in mail.Claim(mailer=mailer, wait=0)
    assert account.AddEmail(user=user, address="jane@example.org", language="zh_CN.UTF-8")["email"]["state"] == "pending"
    message = mail.Claim(mailer=mailer)["message"]
    assert (message["kind"], message["to"], message["language"]) == ("confirm", "jane@example.org", "zh_CN"), message
    mail.Done(message["id"], "later", "connection refused")
    assert admin.MailStatus()["last_trouble"]["answer"] == "connection refused"
    assert account.ConfirmEmail(user=user, code=message["code"])["email"]["state"] == "confirmed"
    notice = mail.Claim(mailer=mailer)["message"]
    assert (notice["kind"], notice["notice"]) == ("notice", "email_added"), notice
    mail.Done(notice["id"], "failed", "550 nobody here", "ask for another address")
    assert error_of(mail.Done, notice["id"], "delivered", "").error() == "org.otpd.Mail.Refused"
    assert admin.MailStatus()["given_up"][0]["answer"] == "550 nobody here"
    assert account.Emails(user=user)["emails"][0]["address"] == "jane@example.org"
    test = admin.MailTest(address="postmaster@example.org")["id"]
    assert mail.Claim(mailer=mailer)["message"]["id"] == test
    mail.Done(test, "delivered", "250 OK")
    assert admin.MailStatus(id=test)["test"]["outcome"] == "delivered"
    assert account.RemoveEmail(user=user, email="1")["remaining"] == 0


def sign_in(login, account, web, user):
    """Root in the place of otpd-login, and of otpd-web."""
    asked = {"user": user, "service": "otpd-web", "rhost": "192.0.2.7"}
    assert error_of(login.IssueTicket, asked | {"service": "sshd"}).parameters()["reason"] == "wrong_service"
    issued = login.IssueTicket(asked, "Mozilla/5.0")["ticket"]
    ticket = login.RenewTicket(asked | {"service": "otpd-web-password"}, issued)["ticket"]
    assert error_of(web.Who, issued).parameters()["reason"] == "signed_out"
    holder = web.Who(ticket, "192.0.2.7")
    assert (holder["user"], holder["admin"], holder["protected"]) == (user, False, False), holder
    status = web.As(ticket, "192.0.2.7", "org.otpd.Account.Status", {})["parameters"]
    assert (status["user"], status["sign_ins"]) == (user, 1), status
    unknown = error_of(web.As, ticket, None, "org.otpd.Account.Status", {"unknown": 1})
    assert isinstance(unknown, varlink.InvalidParameter), unknown
    word = web.HandOff(ticket, "Files.example.org:8443")["word"]
    visit = web.Visit(word, "files.example.org:8443", "192.0.2.7", "Mozilla/5.0")["ticket"]
    assert web.Check(visit, "files.example.org:8443", "192.0.2.7")["user"] == user
    assert [one["scope"] for one in account.SignIns(user)["sign_ins"]] == ["visit", "account"]
    web.SignOut(ticket)
    assert error_of(web.Check, visit, "files.example.org:8443").parameters()["reason"] == "signed_out"
    login.IssueTicket(asked)
    assert account.EndSignIns(user)["ended"] == 1


def remove_user(user):
    """In place: the file may be mounted over /etc/passwd."""
    with open("/etc/passwd", "r+") as passwd:
        others = [line for line in passwd if not line.startswith(f"{user}:")]
        passwd.seek(0)
        passwd.writelines(others)
        passwd.truncate()


def log_in(connection, user, key, recovery_code):
    login = {"user": user, "service": "sshd", "rhost": "192.0.2.7", "tty": "ssh"}
    good = code(key, 0)
    asked = connection.Start(login)["step"]
    assert (asked["next"], asked["digits"]) == ("ask", 6)
    accepted = connection.Answer(login, "42" + good, "tail")["step"]
    assert (accepted["next"], accepted["digits"]) == ("accept", 6)
    assert connection.Answer(login, good, "first_pass")["step"]["next"] == "refuse"
    assert connection.Answer(login, good)["step"]["next"] == "refuse"
    wrong = "".join(str((int(digit) + 5) % 10) for digit in good)
    while connection.Answer(login, wrong)["step"]["next"] != "locked":
        pass
    assert connection.Answer(login, recovery_code)["step"]["device"] == "recovery code 7"
    while connection.Answer(login, wrong)["step"]["next"] != "locked":
        pass
    assert connection.Account(login)["step"]["next"] == "refuse"


account_address, login_address, user, required = sys.argv[1:]
interfaces = {}
with varlink.Client(account_address) as client, varlink.Client(login_address) as login_client:
    for one in (client, login_client):
        one.handler = Checked
        service = one.open("org.varlink.service")
        interfaces["org.varlink.service"] = service._interface
        for name in service.GetInfo()["interfaces"]:
            text = service.GetInterfaceDescription(name)["description"]
            described[name], interfaces[name] = text, varlink.Interface(text)
        for name in service.GetInfo()["interfaces"]:
            probe(one.open(name))
    nobodys = error_of(service.GetInterfaceDescription, "org.otpd.Account")
    assert isinstance(nobodys, varlink.InterfaceNotFound), nobodys
    with varlink.Client(account_address.replace("account.sock", "web.sock")) as web_client:
        web_client.handler = Checked
        name = "org.otpd.Web"
        described[name] = web_client.open("org.varlink.service").GetInterfaceDescription(name)["description"]
        interfaces[name] = varlink.Interface(described[name])
        probe(web_client.open(name))
        sign_in(login_client.open("org.otpd.Login"), client.open("org.otpd.Account"), web_client.open(name), user)
    account, admin, key = administer(client, user)
    with varlink.Client(account_address.replace("account.sock", "mail.sock")) as mail_client:
        mail_client.handler = Checked
        name = "org.otpd.Mail"
        described[name] = mail_client.open("org.varlink.service").GetInterfaceDescription(name)["description"]
        interfaces[name] = varlink.Interface(described[name])
        probe(mail_client.open(name))
        mails(account, admin, mail_client.open(name), user)
    carry_over(admin, user, key)
    back_up(admin)
    rotate(admin)
    log_in(login_client.open("org.otpd.Login"), user, key, account.NewCodes(user=user)["codes"][6])
    assert account.Status(user=user)["recovery_codes"] == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert account.Status(user=user)["lanes"], "failures, and no lane shows them"
    assert account.Unlock(user=user)["opened"] == ["known"]
    # On account.sock logins are for users; root has a socket of its own.
    refused = error_of(client.open("org.otpd.Login").Start, {"user": "root", "service": "vlock"})
    assert refused.error() == "org.varlink.service.PermissionDenied", refused
    locker = login_client.open("org.otpd.Login").Start({"user": "root", "service": "vlock"})
    assert locker["step"]["next"] == "not_required"
    assert admin.Accounts()["accounts"][0]["user"] == user
    assert admin.Accounts(prefix=user[:2], only="protected")["accounts"][0]["recovery_codes"] == 9
    assert admin.Audit(user=user)["events"][-1]["event"] == "unlock"
    assert account.Off(user=user)["retired"] == 2
    assert admin.Reset(user=user)["retired"] == 0
    assert error_of(admin.EnrolCode, user=user).parameters()["reason"] == "optional"
    assert len(admin.EnrolCode(user=required)["enrol_code"]) == len("ABCD-EFGH")
    met = {one["user"]: one for one in admin.PolicyReport()["concerned"]}
    assert (met[required]["standing"], met[required]["enrol_code"]) == ("locked_out", True), met
    refused = error_of(admin.RequireGroup, group="no-such-group", grace_days=1)
    assert refused.parameters()["reason"] == "no_such_group", refused
    assert error_of(admin.ReleaseGroup, group="root").parameters()["reason"] == "group_not_required"
    assert admin.RequireGroup(group="root", grace_days=1)["locks_out"] == 0
    assert admin.PolicyReport()["required"][0]["group"] == "root"
    assert admin.ReleaseGroup(group="root")["configured"] is False
    assert admin.ClockReset(user=user)["accounts"] == []
    assert admin.Adopt(user=user)["changed"] is False
    assert admin.Gone()["accounts"] == []
    gone = next(account for account in admin.Accounts()["accounts"] if account["user"] == user)
    assert error_of(admin.Prune, gone["user"], gone["uid"]).parameters()["reason"] == "user_exists"
    remove_user(user)
    assert admin.Gone()["accounts"][0]["user"] == user
    assert admin.Prune(gone["user"], gone["uid"])["retired"] == 0

print(json.dumps({"described": described, "called": called}))
