"""What may stand in a bacula-fd.conf of 9.6.7: each directive with a value. Found by asking bacula-fd -t for each."""

from __future__ import annotations

TLS = {
    "TLS Authenticate": "no",
    "TLS Enable": "no",
    "TLS Require": "no",
    "TLS CA Certificate File": "/ca",
    "TLS CA Certificate Dir": "/cas",
    "TLS Certificate": "/certificate",
    "TLS Key": "/key",
}
TLS_OF_CALLERS = {**TLS, "TLS Verify Peer": "no", "TLS DH File": "/dh", "TLS Allowed CN": "somebody"}

DIRECTIVES: dict[str, dict[str, str]] = {
    "FileDaemon": {
        "Name": "a-fd",
        "Description": "text",
        "FD Port": "9102",
        "FD Address": "127.0.0.1",
        "FD Addresses": "{ ip = { addr = 127.0.0.1; port = 9102 } }",
        "FD Source Address": "127.0.0.1",
        "Working Directory": "/var/lib",
        "Pid Directory": "/tmp",
        "Sub Sys Directory": "/tmp",
        "Plugin Directory": "/tmp",
        "Scripts Directory": "/tmp",
        "Maximum Concurrent Jobs": "3",
        "Messages": "Standard",
        "SD Connect Timeout": "3 minutes",
        "Heartbeat Interval": "30",
        "Maximum Network Buffer Size": "32768",
        "Maximum Bandwidth Per Job": "3mb/s",
        "Comm Compression": "no",
        "Disable Command": "backup",
        "Snapshot Command": "/snapshot",
        "PKI Signatures": "no",
        "PKI Encryption": "no",
        "PKI Keypair": "/pair",
        "PKI Signer": "/signer",
        "PKI Master Key": "/master",
        "PKI Cipher": "aes256",
        "PKI Digest": "sha1",
        "Ver Id": "text",
        **TLS,
    },
    "Director": {
        "Name": "b-dir",
        "Password": "p",
        "Description": "text",
        "Address": "127.0.0.1",
        "Monitor": "no",
        "Remote": "no",
        "Console": "c",
        "Maximum Bandwidth Per Job": "3mb/s",
        "Disable Command": "restore",
        **TLS_OF_CALLERS,
    },
    "Console": {
        "Name": "d",
        "Password": "p",
        "Description": "text",
        "Address": "127.0.0.1",
        "DIR Port": "9101",
        **TLS_OF_CALLERS,
    },
    "Messages": {
        "Name": "Other",
        "Description": "text",
        "Mail Command": "/mail",
        "Operator Command": "/operator",
        "Director": "a-dir = all, !skipped",
        "File": "/file = all",
        "Append": "/append = all, saved",
        "Syslog": "all",
        "Mail": "a@b = all",
        "Mail On Error": "a@b = all",
        "Mail On Success": "a@b = all",
        "Operator": "a@b = mount",
        "Console": "all, !skipped",
        "Stdout": "all",
        "Stderr": "fatal, error",
        "Catalog": "all",
    },
}

NEWER: dict[str, dict[str, str]] = {
    "FileDaemon": {"TLS PSK Enable": "yes", "SD Packet Check": "10", "Maximum Job Error Count": "10"},
    "Director": {
        "TLS PSK Enable": "no",
        "DIR Port": "9101",
        "Connect To Director": "no",
        "Reconnection Time": "10",
        "Allowed Backup Directories": "/home, /etc",
        "Excluded Backup Directories": "/home/none",
        "Allowed Restore Directories": "/restored",
        "Allowed Script Directories": "/scripts",
    },
}
"""What 15.0.3 knows as well."""

ABSENT = {
    "FileDaemon": ("TLS Verify Peer", "TLS Allowed CN", "TLS DH File", "Password", "Schedule", "Catalog"),
    "Director": ("Allowed Script Dir", "Maximum Job Error Count"),
    "Console": ("Heartbeat Interval", "Comm Compression", "Director"),
    "Messages": ("Password", "Port"),
}
"""What bacula-fd 9.6.7 refuses in these resources, though it is one elsewhere or in other versions."""


def conf_with(resource: str, directive: str, value: str) -> str:
    """A conf that is good but for, perhaps, this directive of this resource."""
    needed = {
        "FileDaemon": {"Name": "a-fd", "Working Directory": "/var/lib", "Pid Directory": "/tmp"},
        "Director": {"Name": "a-dir", "Password": "p"},
        "Messages": {"Name": "Standard", "Director": "a-dir = all"},
        "Console": {"Name": "c", "Password": "p"},
    }
    needed[resource] = {**needed[resource], directive: value}
    return "".join(
        f"{name} {{\n" + "".join(f"  {each} = {text}\n" for each, text in lines.items()) + "}\n"
        for name, lines in needed.items()
    )
