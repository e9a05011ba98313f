"""`wakeword cache`: what is kept, by name, and clearing it."""

from wakeword_daemon.cli import main


def fill(folder):
    for path in (
        "variants-0123456789abcdef/power.npy", "variants-fedcba9876543210/power.npy",
        "speech/kokoro-word-hey_nova-0-c0f8e376/00000.wav",
        "speech/kokoro-order-0-713e372c/00000.wav", "kokoro/vocab.json",
    ):  # fmt: skip
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(bytes(1_000_000))


def test_the_cache_is_listed_by_name_and_cleared_by_pattern(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "wakeword"
    assert main(["cache"]) == 0
    assert capsys.readouterr().out.split() == ["0.0", "MB", "in", str(folder)]
    fill(folder)
    assert main(["cache"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0::3] == ["2.0", "variants"]
    assert "5.0 MB  in" in lines[-1]
    assert [line.split()[-1] for line in lines[1:-1]] == [
        "kokoro", "speech/kokoro-order-0", "speech/kokoro-word-hey_nova-0",
    ]  # fmt: skip

    assert main(["cache", "--clear", "*hey_nova*", "--clear", "variants"]) == 0
    told = capsys.readouterr().out
    assert "removed speech/kokoro-word-hey_nova-0, 1.0 MB" in told
    assert "removed variants, 2.0 MB" in told
    assert {path.name for path in folder.iterdir()} == {"speech", "kokoro"}
    assert (folder / "speech" / "kokoro-order-0-713e372c").is_dir()


def test_an_unknown_cache_entry_is_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["cache", "--clear", "nothing"]) == 1
    assert "has nothing named nothing" in capsys.readouterr().err
