"""Starting the registry: nothing outside DATA_DIR, the demonstration loaded once, and a clear line when it cannot start."""

import json
import os
import socket
from pathlib import Path

import pytest

from config import serve

ACCOUNTS = [
    {"username": "nurse.a", "role": "nurse", "site": "AAA", "password": "one"},
    {"username": "nurse.b", "role": "nurse", "site": "BBB", "password": "two"},
    {"username": "safety", "role": "safety", "site": None, "password": "three"},
]


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_before_anything_is_prepared(taken_port, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", str(taken_port))
    assert serve.main(["--demo"]) == 1
    assert f"Port {taken_port} is in use. Choose another" in capsys.readouterr().err
    assert not (tmp_path / "registry.sqlite3").exists()


def test_children_keep_temporary_and_cache_files_in_the_data_directory(tmp_path):
    environment = serve.child_environment(tmp_path, 8123, demo=False)
    for name in ("TMPDIR", "XDG_CACHE_HOME", "DATA_DIR"):
        assert Path(environment[name]).is_relative_to(tmp_path)
        assert Path(environment[name]).is_dir()
    assert environment["PORT"] == "8123"
    assert environment.get("REQUIRE_MFA") == os.environ.get("REQUIRE_MFA")


def test_only_the_demonstration_turns_the_second_factor_off(tmp_path):
    assert serve.child_environment(tmp_path, 8123, demo=True)["REQUIRE_MFA"] == "0"


def test_the_demonstration_is_loaded_once_and_its_passwords_are_private(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        serve,
        "manage",
        lambda *arguments, environment: asked.append(arguments) or json.dumps({"accounts": ACCOUNTS}),
    )
    assert serve.load_demo(tmp_path, {}) == ACCOUNTS
    assert serve.load_demo(tmp_path, {}) == ACCOUNTS
    assert asked == [("demo", "--json")]
    assert (tmp_path / "demo-sign-ins.json").stat().st_mode & 0o077 == 0


def test_an_interrupted_demonstration_is_loaded_again(tmp_path, monkeypatch):
    def refuse(*arguments, environment):
        raise serve.CannotStart("interrupted")

    monkeypatch.setattr(serve, "manage", refuse)
    with pytest.raises(serve.CannotStart):
        serve.load_demo(tmp_path, {})
    assert not (tmp_path / "demo-sign-ins.json").exists()


def test_one_sign_in_is_printed_for_each_role(capsys):
    serve.print_sign_ins(ACCOUNTS, 8123)
    printed = capsys.readouterr().out
    assert "http://127.0.0.1:8123/" in printed
    assert "nurse.a" in printed
    assert "nurse.b" not in printed
    assert "safety                   all      three" in printed


def test_a_failing_command_is_named_with_its_code(monkeypatch, tmp_path):
    (tmp_path / "manage.py").write_text("import sys; print('why'); sys.exit(3)")
    monkeypatch.setattr(serve.env, "BASE_DIR", tmp_path)
    with pytest.raises(serve.CannotStart, match=r"`manage.py migrate` ended with code 3.\nwhy"):
        serve.manage("migrate", environment=dict(os.environ))


def test_without_pango_the_command_to_install_it_is_given(monkeypatch, capsys):
    monkeypatch.setattr(serve, "can_make_pdfs", lambda environment: False)
    monkeypatch.setattr(
        serve, "PANGO_PACKAGES", ("coreutils",)
    )  # already there: nothing is installed by this test
    assert serve.offer_pango({}) is False
    assert "sudo apt-get install coreutils" in capsys.readouterr().out
