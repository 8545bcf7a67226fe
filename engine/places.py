"""Where things are kept on this machine. Every one can be moved by an environment variable."""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def _home(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback)


def runs_root() -> Path:
    """`LTH_RUNS`, else `runs/` of a checkout, else `~/.local/share/lth/runs`."""
    if given := os.environ.get("LTH_RUNS"):
        return Path(given).expanduser().absolute()
    if (_CHECKOUT / "pyproject.toml").exists() and (_CHECKOUT / "runs").is_dir():
        return _CHECKOUT / "runs"
    return _home("XDG_DATA_HOME", ".local/share") / "lth" / "runs"


def data_root() -> Path:
    """`LTH_DATA`, else `~/.cache/lth/data`: one folder a dataset."""
    if given := os.environ.get("LTH_DATA"):
        return Path(given).expanduser().absolute()
    return _home("XDG_CACHE_HOME", ".cache") / "lth" / "data"


def schedules_root() -> Path:
    """One's own schedules, a TOML file each: `LTH_SCHEDULES`, else `~/.config/lth/schedules`."""
    if given := os.environ.get("LTH_SCHEDULES"):
        return Path(given).expanduser().absolute()
    return _home("XDG_CONFIG_HOME", ".config") / "lth" / "schedules"


def keys_file() -> Path:
    """The keys of the app that somebody has moved: `LTH_KEYS`, else `~/.config/lth/keys.toml`."""
    if given := os.environ.get("LTH_KEYS"):
        return Path(given).expanduser().absolute()
    return _home("XDG_CONFIG_HOME", ".config") / "lth" / "keys.toml"


def encoded_root() -> Path:
    """Encoded datasets: beside the datasets, or in the user's cache where that folder cannot be written."""
    return _beside_data(".encoded")


def pretrained_root() -> Path:
    """Networks that `lth pretrain` made: beside the datasets, or in the user's cache like `encoded_root`."""
    return _beside_data(".pretrained")


def cache_root() -> Path | None:
    """Dense rounds that runs share: `LTH_CACHE`, else `~/.cache/lth/dense`; None where it is `off`."""
    given = os.environ.get("LTH_CACHE", "").strip()
    if given.lower() == "off":
        return None
    if given:
        return Path(given).expanduser().absolute()
    return _home("XDG_CACHE_HOME", ".cache") / "lth" / "dense"


def slots_file() -> Path:
    """Where the machine's slots are taken, by all its users: `LTH_SLOTS_FILE`, else in /run/lock, or /tmp."""
    if given := os.environ.get("LTH_SLOTS_FILE"):
        return Path(given).expanduser().absolute()
    # Not /dev/shm, from which a logout can take what a user made. Nothing is written into the file.
    locks = Path("/run/lock")
    everybodys = locks.is_dir() and locks.stat().st_mode & 0o1777 == 0o1777
    return (locks if everybodys else Path("/tmp")) / "lth-slots"  # noqa: S108


def _beside_data(name: str) -> Path:
    root = data_root()
    folder = root if root.exists() else root.parent
    # The mode too: root may write anywhere, but a folder that nobody is to write to is left as it is.
    writable = os.access(folder, os.W_OK) and folder.stat().st_mode & 0o222
    if writable or "LTH_DATA" not in os.environ:
        return root / name
    return _home("XDG_CACHE_HOME", ".cache") / "lth" / "data" / name
