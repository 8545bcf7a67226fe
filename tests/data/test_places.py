"""What is computed from datasets lies beside them, unless their folder is not to be written to."""

from engine import places


def test_a_folder_of_datasets_that_is_read_only_is_left_as_it_is(home, tmp_path):
    assert places.encoded_root() == home / ".encoded"
    home.chmod(0o555)
    assert places.encoded_root() == tmp_path / "cache" / "lth" / "data" / ".encoded"
    assert places.pretrained_root() == tmp_path / "cache" / "lth" / "data" / ".pretrained"
    home.chmod(0o755)
    assert places.pretrained_root() == home / ".pretrained"
