"""Near duplicates against brute force: what is returned is exact, and next to nothing is missed."""

import io
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_images

from analysis.core.duplicates import choose_bands, find_near_texts, to_groups
from analysis.core.image_hash import find_near_hashes, find_near_pictures
from analysis.core.shingles import compute_similarities, fold_text, to_shingles
from analysis.errors import AnalysisError, CancelledError
from analysis.store.pictures import measure_picture
from analysis.watch import Watch


def shingle(folded):
    """Return the set of five-character runs, as a reader would write it."""
    return {folded[k : k + 5] for k in range(max(1, len(folded) - 4))}


def jaccard(one, other):
    a, b = shingle(fold_text(one)), shingle(fold_text(other))
    return len(a & b) / len(a | b)


def brute_force(texts, threshold):
    """Return all pairs of texts that differ after folding, by comparing everything with everything."""
    first = {}
    for position, text in enumerate(texts):
        if fold_text(text):
            first.setdefault(fold_text(text), position)
    sets = {position: shingle(folded) for folded, position in first.items()}
    places = sorted(sets)
    found = {}
    for n, a in enumerate(places):
        for b in places[n + 1 :]:
            common = len(sets[a] & sets[b])
            similarity = common / (len(sets[a]) + len(sets[b]) - common)
            if similarity >= threshold:
                found[a, b] = similarity
    return found


def make_texts(rng, n, *, words=400, length=(4, 40), edited=0.5):
    """Random texts, and edited copies of some: a word changed, dropped or added."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzäß"))
    vocabulary = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(words)]
    texts = [" ".join(rng.choice(vocabulary, rng.integers(*length))) for _ in range(n)]
    for _ in range(int(edited * n)):
        parts = texts[rng.integers(len(texts))].split()
        for _ in range(rng.integers(1, 4)):
            place = rng.integers(len(parts))
            parts[place : place + rng.integers(0, 2)] = [vocabulary[rng.integers(words)]] * rng.integers(0, 2)
            parts = parts or ["x"]
        texts.append(" ".join(parts))
    return texts


def to_pairs(frame):
    return {(a, b): s for a, b, s in frame.itertuples(index=False)}


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_near_texts_are_those_of_brute_force(threshold):
    wanted = returned = 0
    for seed in range(3):
        texts = make_texts(np.random.default_rng(seed), 220)
        expected = brute_force(texts, threshold)
        frame = find_near_texts(texts, threshold=threshold, seed=seed)
        found = to_pairs(frame[frame["similarity"] < 1])
        assert all(expected[pair] == similarity for pair, similarity in found.items()), "what is returned is exact"
        wanted += sum(similarity < 1 for similarity in expected.values())
        returned += len(found)
    assert wanted > 10, "the example has pairs to find"
    assert returned >= 0.99 * wanted


@settings(max_examples=40)
@given(st.lists(st.text("abc d.A", max_size=30), max_size=12), st.integers(0, 2**32))
def test_every_pair_returned_is_as_similar_as_it_says(texts, seed):
    for (a, b), similarity in to_pairs(find_near_texts(texts, threshold=0.6, seed=seed)).items():
        assert a < b
        assert similarity == jaccard(texts[a], texts[b]) >= 0.6


def test_texts_equal_but_for_case_spaces_and_punctuation_are_paired_with_the_first():
    texts = ["Thanks a lot!", None, "thanks   A lot", "...", "???", "", "THANKS a lot?!", "Other words here"]
    assert to_pairs(find_near_texts(texts)) == {(0, 2): 1.0, (0, 6): 1.0}


def test_a_million_pairs_of_equal_texts_are_a_thousand_rows():
    assert len(find_near_texts(["the same again"] * 1_001)) == 1_000


def test_order_of_texts_does_not_matter():
    texts = list({fold_text(text): text for text in make_texts(np.random.default_rng(3), 200)}.values())
    turned = find_near_texts(texts[::-1])
    last = len(texts) - 1
    there = {(last - b, last - a): s for (a, b), s in to_pairs(turned).items()}
    assert there == to_pairs(find_near_texts(texts))


def test_crowds_that_share_a_template_are_counted_and_stay_together():
    texts = [
        f"Your order number {k} has been shipped today and will arrive soon, thank you very much" for k in range(900)
    ]
    found = find_near_texts(texts)
    assert found.attrs["crowded"] == 900
    assert len(found) < 100_000
    assert set(to_groups(found, len(texts))) == {0}


def test_no_text_and_one_text_have_no_pairs():
    assert find_near_texts([]).empty
    assert find_near_texts([None, ""]).empty
    assert find_near_texts(["alone"]).empty


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan"), 0.001])
def test_a_threshold_that_means_nothing_is_refused(threshold):
    with pytest.raises(AnalysisError):
        find_near_texts(["a"], threshold=threshold)


@given(st.floats(0.05, 1))
def test_bands_miss_one_pair_in_a_thousand_at_the_threshold(threshold):
    bands, rows = choose_bands(threshold)
    assert (1 - threshold**rows) ** bands <= 1e-3 + 1e-12
    assert bands * rows <= 160


def test_work_on_texts_and_hashes_can_be_cancelled():
    watch = Watch()
    watch.cancel()
    with pytest.raises(CancelledError):
        find_near_texts(["a b c d e f", "a b c d e g"], watch=watch)
    with pytest.raises(CancelledError):
        find_near_hashes(np.arange(4, dtype=np.uint64), watch=watch)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=8))
def test_shingles_are_the_runs_of_five_characters(texts):
    texts = [text.replace("\0", " ") for text in texts]
    sets = to_shingles(texts)
    assert len(sets) == len(texts)
    pairs = np.array([(a, b) for a in range(len(texts)) for b in range(len(texts))])
    expected = [
        len(shingle(texts[a]) & shingle(texts[b])) / len(shingle(texts[a]) | shingle(texts[b])) for a, b in pairs
    ]
    assert compute_similarities(sets, pairs[:, 0], pairs[:, 1]).tolist() == expected


def test_shingles_of_five_thousand_characters_still_tell_texts_apart():
    han = [chr(point) for point in range(0x4E00, 0x4E00 + 5_000)]
    texts = ["".join(han[k : k + 20]) for k in range(0, 4_980, 10)]
    sets = to_shingles(texts)
    similar = compute_similarities(sets, np.arange(len(texts) - 1), np.arange(1, len(texts)))
    # Neighbours share ten characters, that is six shingles of sixteen.
    assert similar.tolist() == [6 / 26] * (len(texts) - 1)


@given(st.text(max_size=40))
def test_folding_drops_case_spaces_and_punctuation_and_nothing_else(text):
    folded = fold_text(text)
    assert folded == " ".join(folded.split())
    assert fold_text(folded + " !? ") == folded or not text.isascii()
    kept = [c for c in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(c)[0] in "LMN"]
    assert folded.replace(" ", "") == "".join(kept)


def count_bits(a, b):
    return (int(a) ^ int(b)).bit_count()


@pytest.mark.parametrize("most", [0, 1, 4, 6, 14])
def test_near_hashes_are_all_of_brute_force(most):
    rng = np.random.default_rng(most)
    hashes = rng.integers(0, 2**64, 60, dtype=np.uint64)
    for _ in range(120):
        flips = sum(1 << int(bit) for bit in rng.choice(64, rng.integers(0, most + 3), replace=False))
        hashes = np.append(hashes, hashes[rng.integers(len(hashes))] ^ np.uint64(flips))
    first = {}
    for position, one in enumerate(hashes.tolist()):
        first.setdefault(one, position)
    places = sorted(first.values())
    expected = {
        (a, b): count_bits(hashes[a], hashes[b])
        for n, a in enumerate(places)
        for b in places[n + 1 :]
        if count_bits(hashes[a], hashes[b]) <= most
    }
    expected |= {(first[one], k): 0 for k, one in enumerate(hashes.tolist()) if first[one] != k}
    assert len(expected) > 20
    assert to_pairs(find_near_hashes(hashes, max_distance=most)) == expected


def test_a_distance_beyond_what_bands_can_find_is_refused():
    with pytest.raises(AnalysisError, match="0 to 14"):
        find_near_hashes(np.zeros(2, dtype=np.uint64), max_distance=15)


def test_near_pictures_are_all_of_brute_force_even_where_one_hash_is_everywhere():
    rng = np.random.default_rng(5)
    prints = rng.integers(0, 30, (150, 72), dtype=np.uint8)
    prints[:80, :8] = 0
    prints[:, 8:] = (rng.integers(0, 6, (150, 1)) * 7 + rng.integers(0, 3, (150, 64))).astype(np.uint8)
    prints = np.concatenate([prints, prints[:5]])
    hashes = prints[:, :8].copy().view(np.uint64).ravel()
    found = to_pairs(find_near_pictures(prints, max_distance=6, max_difference=2.0))
    expected = {
        (a, b): count_bits(hashes[a], hashes[b])
        for a in range(150)
        for b in range(a + 1, 150)
        if count_bits(hashes[a], hashes[b]) <= 6
        and np.abs(prints[a, 8:].astype(int) - prints[b, 8:].astype(int)).mean() <= 2
    }
    expected |= {(k, 150 + k): 0 for k in range(5)}
    assert found == expected
    assert len(found) > 100


def save(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_photograph_is_found_after_compressing_and_scaling_and_others_are_not():
    rng = np.random.default_rng(0)
    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    pieces = []
    for _ in range(60):
        photograph = photographs[rng.integers(2)]
        x, y = int(rng.integers(0, 480)), int(rng.integers(0, 260))
        pieces.append(photograph.crop((x, y, x + 150, y + 150)))
    files = [save(piece) for piece in pieces]
    files += [save(piece, "JPEG", quality=75) for piece in pieces]
    files += [save(piece.resize((90, 90))) for piece in pieces]
    prints = np.stack([np.frombuffer(measure_picture(file).print, dtype=np.uint8) for file in files])
    pairs = find_near_pictures(prints)
    near = set(zip(pairs["a"], pairs["b"], strict=True))
    # Measured: plain sky, whose pixels differ by noise alone, is what is missed.
    assert sum((k, 60 + k) in near for k in range(60)) >= 0.8 * 60
    assert sum((k, 120 + k) in near for k in range(60)) >= 0.8 * 60
    strangers = [(a, b) for a, b in near if a % 60 != b % 60]
    assert len(strangers) < 0.002 * 180 * 179 / 2


def test_groups_are_connected_components():
    pairs = pd.DataFrame({"a": [1, 4, 2, 7], "b": [4, 6, 7, 8]})
    assert to_groups(pairs, 10).tolist() == [0, 1, 2, 3, 1, 5, 1, 2, 2, 9]
    assert to_groups(pairs.iloc[:0], 3).tolist() == [0, 1, 2]
    assert to_groups(pairs.iloc[:0], 0).tolist() == []
