#!/usr/bin/env python3
"""Certificates for tests: certificates.py DIRECTORY

Makes ca.pem, an authority, and NAME.pem with NAME.key, which it signed: good (for localhost), expired, other (for
another name), and authority (marked as one itself). The one of self.pem is signed by itself.
"""
import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

directory = pathlib.Path(sys.argv[1])
now = datetime.datetime.now(datetime.timezone.utc)
day = datetime.timedelta(days=1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def save(stem, certificate, key=None):
    (directory / f"{stem}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    if key:
        (directory / f"{stem}.key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


authority = ec.generate_private_key(ec.SECP256R1())


def certificate(subject, key, begins, ends, *extensions, signer=None):
    issuer = subject if signer else "test authority"
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(ends)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer or authority, hashes.SHA256())


save("ca", certificate("test authority", authority, now - day, now + day,
                       (x509.BasicConstraints(ca=True, path_length=None), True)))
for stem, names, begins, ends in [
    ("good", [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))], now - day, now + day),
    ("expired", [x509.DNSName("localhost")], now - 3 * day, now - 2 * day),
    ("other", [x509.DNSName("mail.example.org")], now - day, now + day),
    ("authority", [x509.DNSName("localhost")], now - day, now + day),
    ("self", [x509.DNSName("localhost")], now - day, now + day),
]:
    key = ec.generate_private_key(ec.SECP256R1())
    is_authority = x509.BasicConstraints(ca=stem == "authority", path_length=None)
    leaf = certificate(stem, key, begins, ends, (is_authority, True), (x509.SubjectAlternativeName(names), False),
                       signer=key if stem == "self" else None)
    save(stem, leaf, key)
