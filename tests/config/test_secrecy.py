from filed.config.resources import Warnings
from filed.config.secrecy import warn_if_readable


def test_only_a_file_that_everybody_can_read_is_told(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text("x")
    for mode, expected in ((0o640, 0), (0o600, 0), (0o644, 1)):
        path.chmod(mode)
        warnings = Warnings()
        warn_if_readable(str(path), "passwords", warnings)
        assert len(warnings.texts) == expected
    assert warnings.texts == [f"{path}: this file holds passwords and everybody can read it; run: chmod o-r {path}"]


def test_what_is_not_a_file_is_not_told(tmp_path):
    warnings = Warnings()
    for path in ("", str(tmp_path / "no"), str(tmp_path)):
        warn_if_readable(path, "passwords", warnings)
    assert warnings.texts == []
