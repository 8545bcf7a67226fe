"""Whether what runs here outlives its user's session: systemd can be told to kill it, and kills its own services."""

import getpass
import os
from pathlib import Path

from engine.process.doctor.finding import Finding, ok, warning

_FOLDERS = ("etc", "run", "usr/local/lib", "usr/lib", "lib")  # the earlier wins over the later
_NAME = "logout"


def settings(root: Path = Path("/")) -> dict[str, str]:
    """The [Login] settings of systemd-logind, as it reads them: the first logind.conf, then drop-ins by their names.

    A setting that stands there only as a comment is the one that was compiled in, by systemd's custom.
    """
    main = next((path for path in (root / one / "systemd/logind.conf" for one in _FOLDERS) if path.is_file()), None)
    drop_ins: dict[str, Path] = {}
    for one in reversed(_FOLDERS):
        drop_ins |= {path.name: path for path in (root / one / "systemd/logind.conf.d").glob("*.conf")}
    found: dict[str, str] = {}
    for path in [*([main] if main else []), *(drop_ins[name] for name in sorted(drop_ins))]:
        try:
            words = path.read_text(errors="replace")
        except OSError:
            continue
        given, usual = _parsed(words)
        found = usual | found | given if path == main else found | given
    return found


def _parsed(words: str) -> tuple[dict[str, str], dict[str, str]]:
    """What is set in a file, and what stands there as a comment."""
    given: dict[str, str] = {}
    usual: dict[str, str] = {}
    section = ""
    for line in map(str.strip, words.splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[Login]" and "=" in line:
            key, _, value = line.lstrip("#; ").partition("=")
            (usual if line[0] in "#;" else given)[key.strip()] = value.strip()
    return given, usual


def kills(said: dict[str, str], user: str) -> bool:
    """Whether logind kills what `user` leaves running at logout."""
    if said.get("KillUserProcesses", "").lower() not in ("yes", "true", "on", "1", "y", "t"):
        return False
    only = said.get("KillOnlyUsers", "").split()
    spared = said.get("KillExcludeUsers", "root").split()
    return user not in spared and (not only or user in only)


def finding(systemd: bool, said: dict[str, str], user: str, lingers: bool, cgroup: str) -> Finding:
    """`said` by `settings`, `cgroup` the text of /proc/self/cgroup, `lingers` whether the user's services stay."""
    if not systemd:
        return ok(_NAME, "no systemd-logind here, so engines go on after it")
    if lingers:
        return ok(_NAME, f"engines go on after it: {user} lingers")
    linger = f"loginctl enable-linger {user}"
    if kills(said, user):
        return warning(_NAME, "systemd kills what a user leaves running (KillUserProcesses=yes)", linger)
    if "/user@" in cgroup:
        told = "this terminal is a service of the user's systemd, which ends all of them after the last logout"
        return warning(_NAME, told, linger)
    return ok(_NAME, "engines go on after it: systemd is not told to kill them")


def now() -> Finding:
    """As it is on this machine."""
    user = name()
    try:
        cgroup = Path("/proc/self/cgroup").read_text()
    except OSError:
        cgroup = ""
    # This file is how logind itself keeps it; loginctl shows it only of users who are logged in.
    lingers = Path("/var/lib/systemd/linger", user).exists()
    return finding(Path("/run/systemd/system").is_dir(), settings(), user, lingers, cgroup)


def name() -> str:
    """The user's name, or number where the machine knows no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
