"""Secrets that error messages may quote, kept out of what is written and shown: passwords in addresses, and the values
of environment variables that are named as secrets are.
"""

import os
import re

HIDDEN = "***"
_NAMED = re.compile(r"(?i)(secret|token|passw|api_?key|access_?key|private_?key|credential|auth(?!or))")
_ADDRESS = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"<>]+@")
_QUERY = re.compile(r"(?i)([?&][\w.-]*(?:token|key|secret|signature|sig|password|credential)[\w.-]*=)[^\s&'\"<>]+")
_SHORTEST = 6  # characters; a shorter value, such as `true` or `1`, is no secret, and would stand everywhere


def hidden(text: str) -> str:
    """The text with every secret known to be one replaced by `***`."""
    values = {value for name, value in os.environ.items() if _NAMED.search(name) and len(value) >= _SHORTEST}
    # A path in such a variable (SSH_AUTH_SOCK, GOOGLE_APPLICATION_CREDENTIALS) says where a secret is, and is none.
    for value in sorted((one for one in values if not one.startswith(("/", "~", "."))), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return _QUERY.sub(rf"\1{HIDDEN}", _ADDRESS.sub(rf"\1{HIDDEN}@", text))
