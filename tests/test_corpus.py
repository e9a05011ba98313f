"""Corpora are read correctly, or refused with a reason before training starts."""

import csv

import pytest
from support.recordings import manifest_corpus, speech_commands_folder

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data.corpus import Corpus, Recording, read_corpus


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return manifest_corpus(tmp_path_factory.mktemp("recordings"))


def with_rows(folder, change):
    """Change the rows of a copy of the manifest; return the folder of the copy."""
    copy = folder.parent / f"{folder.name}-copy"
    copy.mkdir(exist_ok=True)
    for name in ("words", "speech", "noise"):
        if not (copy / name).exists():
            (copy / name).symlink_to(folder / name)
    with (folder / "manifest.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    rows = change(rows)
    with (copy / "manifest.csv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return copy


def test_a_manifest_is_read(recordings):
    corpus = read_corpus(recordings)
    assert corpus.words() == {"sweep": 50}
    assert {r.speaker for r in corpus.in_split("val")} == {f"tones/s{n}" for n in range(6, 10)}
    assert sum(r.noise for r in corpus.recordings) == 2


def test_the_same_recordings_have_the_same_digest_wherever_they_lie(tmp_path):
    def digest(home, name="0.wav"):
        path = home / "cache" / f"begun-{home.name}" / name
        begun = Recording(path, "hey_jarvis", "a", "val", "x", noise=False)
        given = Recording(home / "data" / "0.wav", "", "b", "train", "x", noise=False)
        return Corpus(home / "data", (begun, given)).fingerprint()

    assert digest(tmp_path / "anna") == digest(tmp_path / "bob")
    assert digest(tmp_path) != digest(tmp_path, "1.wav")


def test_missing_recordings_are_named(recordings):
    def change(rows):
        rows[3]["path"] = "words/gone.wav"
        return rows

    with pytest.raises(TrainingError, match=r"lists 1 missing file: words/gone.wav"):
        read_corpus(with_rows(recordings, change))


def test_a_speaker_in_both_splits_is_refused(recordings):
    def change(rows):
        rows[0]["split"] = "val"
        return rows

    with pytest.raises(TrainingError, match=r"both splits .* the same speakers.*: tones/s0"):
        read_corpus(with_rows(recordings, change))


def test_an_unknown_split_is_refused_with_its_line(recordings):
    def change(rows):
        rows[1]["split"] = "test"
        return rows

    with pytest.raises(TrainingError, match="line 3: the split is 'test'"):
        read_corpus(with_rows(recordings, change))


def test_a_recording_listed_twice_counts_once_and_must_agree(recordings):
    assert len(read_corpus(with_rows(recordings, lambda rows: [*rows, rows[0]])).recordings) == 92
    with pytest.raises(TrainingError, match="was listed before"):
        read_corpus(with_rows(recordings, lambda rows: [*rows, rows[0] | {"word": "other"}]))


def test_a_missing_column_is_named(recordings):
    def change(rows):
        return [{k: v for k, v in row.items() if k != "speaker"} for row in rows]

    with pytest.raises(TrainingError, match="lacks the column speaker"):
        read_corpus(with_rows(recordings, change))


def encoded(folder, encoding):
    def rename(rows):
        return [row | {"source": "Töne"} for row in rows]

    copy = with_rows(folder, rename)
    text = (copy / "manifest.csv").read_text()
    (copy / "manifest.csv").write_bytes(text.encode(encoding))
    return copy


def test_a_manifest_with_a_byte_order_mark_is_read(recordings):
    corpus = read_corpus(encoded(recordings, "utf-8-sig"))
    assert {r.source for r in corpus.recordings} == {"Töne"}


def test_a_manifest_in_latin1_is_refused_with_its_line(recordings):
    with pytest.raises(TrainingError, match="line 2: not UTF-8"):
        read_corpus(encoded(recordings, "latin-1"))


def test_semicolons_as_separators_are_refused(recordings):
    copy = with_rows(recordings, lambda rows: rows)
    text = (copy / "manifest.csv").read_text().replace(",", ";")
    (copy / "manifest.csv").write_text(text)
    with pytest.raises(TrainingError, match="separated by semicolons"):
        read_corpus(copy)


def test_a_name_that_is_too_long_is_a_missing_file(recordings):
    def change(rows):
        rows[2]["path"] = "words/" + 300 * "a"
        return rows

    with pytest.raises(TrainingError, match=r"lists 1 missing file: words/a+"):
        read_corpus(with_rows(recordings, change))


def test_an_absolute_path_is_refused_with_its_line(recordings):
    def change(rows):
        rows[2]["path"] = str(recordings / rows[2]["path"])
        return rows

    with pytest.raises(TrainingError, match=r"line 4: .*words/0-2.wav is an absolute path"):
        read_corpus(with_rows(recordings, change))


@pytest.mark.parametrize("seconds", ["1,5", "long", "-1", "nan", "inf"])
def test_seconds_that_are_not_a_number_are_refused_with_their_line(recordings, seconds):
    def change(rows):
        rows[0]["seconds"] = seconds
        return rows

    with pytest.raises(TrainingError, match=f"line 2: the seconds are '{seconds}', not a number"):
        read_corpus(with_rows(recordings, change))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("words/0-0.wav,sweep", "line 94: not as many fields"),
        ("words/0-0.wav,sweep,s0,train,1,tones,more", "line 94: not as many fields"),
        ('"words/0-0.wav', "line 93: unexpected end"),
    ],
)
def test_a_row_with_too_few_or_too_many_fields_is_refused_with_its_line(recordings, line, message):
    copy = with_rows(recordings, lambda rows: rows)
    with (copy / "manifest.csv").open("a") as lines:
        lines.write(line)
    with pytest.raises(TrainingError, match=message):
        read_corpus(copy)


def test_folders_without_recordings_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="is not a folder"):
        read_corpus(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match=r"neither a manifest.csv nor folders of .wav"):
        read_corpus(tmp_path)


def test_the_official_split_of_speech_commands_is_used(tmp_path):
    corpus = read_corpus(speech_commands_folder(tmp_path / "sc", official=True))
    assert {r.speaker for r in corpus.in_split("val")} == {"00000001", "00000002"}
    assert corpus.words() == {"sweep": 20, "no": 20}
    assert [r.path.name for r in corpus.recordings if r.noise] == ["hum.wav"]


def test_a_random_split_is_written_and_used_again(tmp_path):
    folder = speech_commands_folder(tmp_path / "sc", official=False)
    split = tmp_path / "run" / "split.json"
    first = read_corpus(folder, split_file=split, seed=1)
    assert {r.speaker for r in first.in_split("val")}.isdisjoint(
        r.speaker for r in first.in_split("train") if r.speaker
    )
    assert len({r.speaker for r in first.in_split("val")}) == 2  # a fifth of ten
    assert read_corpus(folder, split_file=split, seed=2).recordings == first.recordings
    split.write_text('{"validation_speakers": ["somebody"]}')
    with pytest.raises(TrainingError, match=r"made for another folder.*somebody"):
        read_corpus(folder, split_file=split)
    split.write_text("nonsense")
    with pytest.raises(TrainingError, match="is not a split file"):
        read_corpus(folder, split_file=split)
