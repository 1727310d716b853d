# ruff: noqa: RUF001 (texts are written as people write them)
"""The encoding of a text file is found from all its bytes, said, and doubted where nothing decides."""

import random

import pytest

from analysis.errors import FileFaultError
from analysis.store.readers.delimited import read_delimited
from analysis.store.readers.encodings import DetectedEncoding, detect_encoding, to_utf8

WORDS = {
    "German": "Müller Größe Übung Straße schön Köln Äpfel für Jürgen Weiß hören Mädchen Österreich können über grün",
    "French": "été garçon hôtel élève où déjà à œuvre naïve forêt très Éric Noël cœur l'été crème brûlée façade",
    "Spanish": "niño corazón está también mañana Málaga señor ¿qué? ¡sí! Martínez años pingüino rápido aquí Óscar",
    "names": "Józef Górski Wójcik Kowalski Ángel Zoë Björn Søren Håkan Françoise Peña Müller António João Çelik",
    "English": "“Hello” she said – it’s the ‘best’ café… don’t they’re we’ve naïve résumé “quoted” wait—what’s 5 °C",
    "Italian": "perché così più città lunedì è però virtù caffè già età può qualità e i ragazzi sarà là giù né sé",
}
PLAIN = ["the", "quick", "brown", "fox", "label", "item", "house", "river", "train", "summer"]
UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]


def write_text(language: str, lines: int, seed: int) -> str:
    """Return a CSV whose text column mixes words with and without letters beyond ASCII."""
    rng = random.Random(seed)  # noqa: S311 (the same text in every run)
    words = WORDS[language].split()
    rows = [
        f"{k},{'ab'[k % 2]},{' '.join(rng.choice(words if rng.random() < 0.4 else PLAIN) for _ in range(8))}\n"
        for k in range(lines)
    ]
    return "id,label,text\n" + "".join(rows)


@pytest.fixture
def detect(tmp_path):
    def run(content: bytes) -> DetectedEncoding:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        return detect_encoding(path)

    return run


@pytest.mark.parametrize("lines", [4, 40, 4000])
@pytest.mark.parametrize("codec", [*UNICODE, "latin-1", "cp1252", "mac-roman"])
@pytest.mark.parametrize("language", WORDS)
def test_the_encoding_of_text_in_a_language_is_found(detect, language, codec, lines):
    text = write_text(language, lines, seed=lines)
    if codec == "latin-1":
        text = text.encode("latin-1", "ignore").decode("latin-1")

    found = detect(text.encode(codec))

    # The codec that is named may be another one that gives the same text, as Latin-1 is a part of Windows-1252.
    assert text.encode(codec).decode(found.name) == text
    assert found.certain, found
    if codec in UNICODE:
        assert found.name == codec


@pytest.mark.parametrize(
    ("language", "codec"),
    [
        ("German", "mac-roman"),
        ("French", "cp1252"),
        ("Spanish", "mac-roman"),
        ("English", "cp1252"),
        ("names", "latin-1"),
    ],
)
def test_a_file_is_read_in_the_encoding_that_was_found_and_says_so(tmp_path, language, codec):
    text = write_text(language, 50, seed=3)
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(codec))

    ((scratch, table),) = read_delimited(path, None)

    with scratch:
        rows = scratch.connection.execute("SELECT c0, c1, c2 FROM raw ORDER BY row").fetchall()
    assert rows == [tuple(line.split(",", 2)) for line in text.splitlines()[1:]]
    assert table.dialect["encoding"] == codec
    assert table.notes == (f"x.csv is read as {codec}: {table.dialect['encoding_reason']}.",)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "ascii"])
def test_of_utf_8_nothing_needs_to_be_said(tmp_path, codec):
    path = tmp_path / "x.csv"
    path.write_bytes("id,city\n1,Ulm\n".encode(codec))

    ((scratch, table),) = read_delimited(path, None)

    scratch.close()
    assert (table.dialect["encoding"], table.notes) == (codec.replace("ascii", "utf-8"), ())


def test_the_reason_shows_a_word_in_both_readings(detect):
    found = detect("id,x\n1,Müller\n2,Größe\n".encode("mac-roman"))

    assert found == DetectedEncoding("mac-roman", "'Müller' reads better in it than 'MŸller' in cp1252", certain=True)


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ("W\x97jcik", "cp1252", "'W—jcik' might be 'Wójcik' in mac-roman"),
        ("Ïðèâåò ìèð", "cp1252", "much reads like no language of western Europe, such as 'Ïðèâåò'"),
        ("M\x81ller f\x81r Gr\x94\xe1e", "latin-1", "much reads like no language of western Europe"),
    ],
)
def test_where_nothing_decides_it_is_a_guess_that_asks_to_be_checked(tmp_path, content, name, reason):
    path = tmp_path / "x.csv"
    path.write_bytes(
        b"id,x\n1," + content.encode("latin-1" if "\x81" in content or "\x97" in content else "cp1252") + b"\n"
    )

    found = detect_encoding(path)
    ((scratch, table),) = read_delimited(path, None)

    scratch.close()
    assert (found.name, found.certain) == (name, False)
    assert found.reason.startswith(reason)
    assert table.notes == (
        f"x.csv is read as {name}, which is a guess: {found.reason}. Check words with accents and quotation marks; if "
        "they are wrong, name the encoding, for example --encoding mac-roman.",
    )


@pytest.mark.parametrize(
    "codec", ["cp1250", "iso8859-2", "cp1251", "koi8-r", "cp1253", "shift_jis", "gbk", "big5", "euc_kr", "cp850"]
)
def test_no_other_encoding_is_ever_taken_for_certain(detect, codec):
    texts = {
        "cp1250": "Łódź żółw część ślub Śląsk gęś źle Kraków więcej dzień", "cp1251": "Привет мир, это текст",
        "cp1253": "Καλημέρα κόσμε αυτό είναι", "shift_jis": "これは日本語のテキストです。犬と猫", "gbk": "这是一个中文文本，用于测试编码",
        "big5": "這是一個中文文本", "euc_kr": "안녕하세요 세계", "cp850": "Müller Größe été garçon",
    }  # fmt: skip
    text = texts.get(codec) or texts[{"iso8859-2": "cp1250", "koi8-r": "cp1251"}[codec]]

    assert not detect(f"id,text\n1,{text}\n".encode(codec) * 50).certain


@pytest.mark.parametrize("broken", [b"\xfcr", b"\xc3(", b"\xe2\x82 ", b"\xc3"])
def test_utf_8_with_a_broken_place_is_not_turned_into_garbage(detect, broken):
    text = "id,x\n" + "1,für Köln\n" * 30
    content = text.encode() + b"31," + broken

    with pytest.raises(FileFaultError, match=r"^x.csv is UTF-8 text but for \d broken bytes?, the first on line 32\. "):
        detect(content)


@pytest.mark.parametrize(
    ("codec", "said"), [("utf-8", "UTF-8"), ("utf-16-le", "utf-16-le"), ("ascii", "ascii"), ("shift_jis", "shift_jis")]
)
@pytest.mark.parametrize("before", [0, 1, (1 << 20) - 1, 3 << 20])
def test_what_is_not_in_the_named_encoding_is_found_in_its_place(tmp_path, codec, said, before):
    text = "id,x\n" + "a" * before
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(codec) + b"\xff\xdf\xff")
    place = len(text.encode(codec))

    with pytest.raises(FileFaultError, match=f"^x.csv is not {said} text at byte {place:,}. Name its encoding with"):
        to_utf8(path, DetectedEncoding(codec, "you said so", certain=True), tmp_path / "copy.csv")


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-32", "mac-roman", "cp1252", "shift_jis", "utf-16-be"])
def test_blocks_are_recoded_without_a_seam(tmp_path, codec, monkeypatch):
    monkeypatch.setattr("analysis.store.readers.encodings._BLOCK_BYTES", 7)
    text = (
        "id,x\n" + ("1,あいう\r\n" if codec == "shift_jis" else "1,für\r\n") * 20 + ("2,🙂\n" if "utf" in codec else "")
    )
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(codec))

    result = to_utf8(path, DetectedEncoding(codec, "you said so", certain=True), tmp_path / "copy.csv")

    assert result.read_bytes().decode() == text
    if codec.startswith("utf"):
        assert detect_encoding(path).name == codec


def test_letters_at_the_seams_of_blocks_count_once(detect, monkeypatch):
    content = write_text("German", 40, seed=1).encode("mac-roman")
    whole = detect(content)
    monkeypatch.setattr("analysis.store.readers.encodings._BLOCK_BYTES", 3)

    assert (detect(content).name, detect(content).certain) == (whole.name, whole.certain)
