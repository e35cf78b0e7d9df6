import re
from pathlib import Path

import pytest

from filed.config.filedaemon import Address, filedaemon_conf, read_filedaemon_conf
from filed.config.messages import MessageType
from filed.config.syntax import parse
from filed.errors import ConfigError
from tests.config.directives import ABSENT, DIRECTIVES, NEWER, conf_with

TABLES = (DIRECTIVES, NEWER)
DEBIAN_CONF = Path(__file__).parent / "bacula-fd-debian.conf"
DIRECTOR = 'Director { Name = d; Password = "hush" }\n'


def conf(daemon: str, rest: str = DIRECTOR):
    return filedaemon_conf(
        parse("FileDaemon {\n Name = a-fd; Working Directory = /var/lib/filed\n" + daemon + "\n}\n" + rest, "f"), ""
    )


def test_debians_own_conf_is_read_unchanged():
    read = read_filedaemon_conf(DEBIAN_CONF)
    daemon = read.file_daemon
    assert (daemon.name, daemon.working_directory, daemon.plugin_directory) == (
        "host-fd",
        "/var/lib/bacula",
        "/usr/lib/bacula",
    )
    assert daemon.addresses == (Address("127.0.0.1", 9102),)
    assert daemon.maximum_concurrent_jobs == 20
    assert [(each.name, each.monitor) for each in read.directors] == [("host-dir", False), ("host-mon", True)]
    assert read.directors[0].password == "one-secret-word"
    assert MessageType.SKIPPED not in read.messages[0].destinations[0].types
    assert daemon.agents == ()


def test_a_conf_with_passwords_that_all_can_read_is_warned_about(tmp_path):
    path = tmp_path / "bacula-fd.conf"
    path.write_bytes(DEBIAN_CONF.read_bytes())
    path.chmod(0o644)
    assert "everybody can read it" in read_filedaemon_conf(path).warnings[0]
    path.chmod(0o640)
    assert read_filedaemon_conf(path).warnings == ()


def test_passwords_are_not_shown():
    assert "hush" not in repr(conf(""))


def test_every_directive_of_bacula_fd_is_known():
    text = """
     Description = "x"; FD Port = 9999; FD Source Address = 10.0.0.1; Pid Directory = /run; Sub Sys Directory = /x
     Scripts Directory = /s; Plugin Directory = /p; Maximum Concurrent Jobs = 3; SD Connect Timeout = 5 min
     Heartbeat Interval = 60; Maximum Network Buffer Size = 32768; Maximum Bandwidth Per Job = 5mb/s
     Comm Compression = no; Disable Command = "estimate level = backup"; Snapshot Command = x; Ver Id = v
     PKI Keypair = /k; PKI Signatures = yes; TLS Enable = no; Messages = M
     Agent Timeout = 2 min
    """
    rest = (
        "Director { Name = d; Password = x; Description = y; Address = z; Monitor = no; Remote = yes; Console = c\n"
        "Maximum Bandwidth Per Job = 1k/s; Disable Command = all }\n"
        "Console { Name = c; Password = p; Address = h; DIR Port = 9101; Description = q }\n"
        "Messages { Name = M; director = d = all }\nStatistics { Name = s; Type = CSV }\n"
    )
    read = conf(text, rest)
    daemon = read.file_daemon
    assert (daemon.addresses, daemon.source_address) == ((Address("", 9999),), "10.0.0.1")
    assert (daemon.sd_connect_timeout_s, daemon.heartbeat_interval_s, daemon.agent_timeout_s) == (300, 60, 120)
    assert daemon.maximum_bandwidth_per_job == 5_000_000
    assert (daemon.comm_compression, daemon.disabled_commands, daemon.ver_id) == (
        False,
        ("estimate", "level", "backup"),
        "v",
    )
    assert daemon.pki.signatures
    assert (read.directors[0].console, read.directors[0].maximum_bandwidth_per_job) == ("c", 1024)
    assert (read.consoles[0].address, read.consoles[0].dir_port) == ("h", 9101)
    assert [text.split(": ", 1)[1][:24] for text in read.warnings] == [
        '"Snapshot Command" has n',
        '"Maximum Network Buffer ',
        '"Disable Command": there',
        '"Remote" has no effect: ',
        "a Console resource has n",
        "a Statistics resource ha",
    ]


def test_client_is_another_name_for_filedaemon():
    assert filedaemon_conf(parse("Client { Name = c; WorkingDirectory = /x }\n" + DIRECTOR)).file_daemon.name == "c"


def test_several_addresses_have_families_and_ports():
    text = "FD Addresses = { ip = { addr = 1.2.3.4; port = 1205; } ipv4 = { addr = h; port = http }\n ip6 = { addr = ::1 } }"
    assert conf(text).file_daemon.addresses == (
        Address("1.2.3.4", 1205, "ip"),
        Address("h", "http", "ipv4"),
        Address("::1", 9102, "ipv6"),
    )


def test_plugin_lines_at_both_levels_keep_their_order():
    read = filedaemon_conf(
        parse(
            "plugin exchange.dll\nFileDaemon { Name = a; Working Directory = /x\n plugin pg { conninfo = x }\n"
            f" Plugin Directory = /p; plugin = filesystem }}\n{DIRECTOR}plugin last"
        )
    )
    assert [agent.id for agent in read.file_daemon.agents] == ["exchange", "pg", "filesystem", "last"]
    assert read.file_daemon.plugin_directory == "/p"


def test_agent_digests_are_sha256_in_hexadecimal():
    digest = "AB" * 32
    assert conf(f"Agent Digest = {digest}\nAgent Digest = {'0' * 64}").file_daemon.agent_digests == {
        "ab" * 32,
        "0" * 64,
    }
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        conf("Agent Digest = abc")


def test_resources_of_the_command_line_are_passed_over():
    assert "not for the daemon" in conf("", DIRECTOR + "Job { Name = x }").warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DIRECTOR, "a FileDaemon resource is missing"),
        ("FileDaemon { Name = a; Working Directory = /x }", "a Director resource is missing"),
        ("FileDaemon { Name = a }\n" + DIRECTOR, 'FileDaemon needs a "Working Directory" line'),
        ("FileDaemon { Name = a }\nClient { Name = b }", "there may be only one FileDaemon"),
        ("Directer { Name = x }", '"Directer" is not a resource of this conf; did you mean "Director"?'),
        ("hush = 1", "a line stands outside of any resource"),
        ("FileDaemon { Name = a; Working Directory = /x }\n" + DIRECTOR * 2, 'two Director resources named "d"'),
        ("Director { Name = d }", 'Director needs a "Password" line'),
        ("FileDaemon { Name = a; Working Directory = /x; Messages = M }\n" + DIRECTOR, 'names Messages "M"'),
        ("FileDaemon { Name = a; FD Port = 99999 }", "99999 is not between 1 and 65535"),
        ("FileDaemon { Name = a; FD Addresses = 1 }", "FD Addresses = { ip = { addr"),
        ("FileDaemon { Name = a; FD Addresses = { x = { } } }", "stand ip, ipv4 and ipv6"),
        ("FileDaemon { Name = a; FDPrt = 1 }", 'did you mean "FD Port"?'),
    ],
)
def test_a_bad_conf_is_refused_with_the_reason(text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        filedaemon_conf(parse(text, "f"))


@pytest.mark.parametrize(
    ("resource", "directive"),
    [(resource, name) for table in TABLES for resource, names in table.items() for name in names],
)
def test_every_directive_of_bacula_fd_is_known_in_any_case_and_spacing(resource: str, directive: str) -> None:
    value = next(table[resource][directive] for table in TABLES if directive in table.get(resource, {}))
    for spelling in (directive, directive.replace(" ", ""), directive.upper(), directive.lower().replace(" ", "  ")):
        filedaemon_conf(parse(conf_with(resource, directive, value).replace(f"  {directive} =", f"  {spelling} =")))


@pytest.mark.parametrize(
    ("resource", "directive"), [(resource, name) for resource, names in ABSENT.items() for name in names]
)
def test_what_bacula_fd_does_not_know_is_no_directive_here(resource: str, directive: str) -> None:
    with pytest.raises(ConfigError, match=f'"{directive}" is not a directive of {resource}'):
        filedaemon_conf(parse(conf_with(resource, directive, "1")))


def test_a_director_that_is_to_be_called_has_an_address() -> None:
    text = conf_with("Director", "Connect To Director", "yes")
    with pytest.raises(ConfigError, match='"Connect To Director" needs an "Address"'):
        filedaemon_conf(parse(text))
    text = text.replace(
        "  Connect", "  Address = dir.example\n  DIR Port = 19101\n  Reconnection Time = 1 hour\n  Connect"
    )
    (director,) = filedaemon_conf(parse(text)).directors
    assert (director.connect, director.address, director.dir_port) == (True, "dir.example", 19_101)
    assert director.reconnection_time_s == 3600


@pytest.mark.parametrize(
    ("resource", "directive", "value", "said"),
    [
        ("FileDaemon", "Snapshot Command", "/x", '"Snapshot Command" has no effect: snapshots are not taken'),
        ("FileDaemon", "Maximum Network Buffer Size", "32768", "has no effect: a packet has up to 65,536 bytes"),
        ("Director", "Remote", "yes", '"Remote" has no effect: it names what bacula-fd'),
        (
            "Director",
            "Schedule",
            "Nights",
            '"Schedule" has no effect: a Director that is to be called is called at any',
        ),
        ("FileDaemon", "SD Packet Check", "10", '"SD Packet Check" has no effect: what a Storage Daemon'),
        ("FileDaemon", "Maximum Job Error Count", "10", '"Maximum Job Error Count" has no effect: a Job goes on'),
        ("Console", "Description", "x", "a Console resource has no effect: it names what bacula-fd"),
    ],
)
def test_what_is_accepted_and_does_nothing_is_told_why(resource: str, directive: str, value: str, said: str) -> None:
    warnings = filedaemon_conf(parse(conf_with(resource, directive, value))).warnings
    assert any(said in warning for warning in warnings)
