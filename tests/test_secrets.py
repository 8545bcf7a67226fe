"""What an error message may quote and nobody should read later."""

import pytest

from engine.secrets import hidden


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("https://me:pass@host.org/x?y=1", "https://***@host.org/x?y=1"),
        ("http://proxy-user:p%40ss@[::1]:8080", "http://***@[::1]:8080"),
        ("see https://h.org/f?token=abc&x=2", "see https://h.org/f?token=***&x=2"),
        ("'https://cdn/f?X-Amz-Signature=0af3&X-Amz-Credential=me'", "'https://cdn/f?X-Amz-Signature=***&X-Amz-Credential=***'"),
        ("mail me@host.org about a/b://c", "mail me@host.org about a/b://c"),
        ("https://huggingface.co/google/bert@main", "https://huggingface.co/google/bert@main"),
        ("a plain sentence?", "a plain sentence?"),
    ],
)  # fmt: skip
def test_credentials_in_addresses_are_hidden_and_nothing_else(given: str, told: str) -> None:
    assert hidden(given) == told


def test_values_of_secret_variables_are_hidden_but_not_words_that_stand_everywhere(monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh")
    monkeypatch.setenv("MY_PASSWORD", "1")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    monkeypatch.setenv("HARMLESS", "something")
    assert hidden("hf_abcdefgh 1 /tmp/agent something") == "*** 1 /tmp/agent something"
