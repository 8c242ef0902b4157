from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdun.data import image_hash, image_set, read_luminance, registry, unit_range


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_both_rules_by_hand(tmp_path: Path) -> None:
    """One pixel each: MATLAB 0.298936 R + 0.587043 G + 0.114021 B, halves up; OpenCV's 14-bit integers."""
    pixels = np.array([[[200, 100, 50], [255, 255, 255], [0, 0, 255], [1, 2, 3]]], dtype=np.uint8)
    path = save(tmp_path / "a.png", pixels)
    assert read_luminance(path, "matlab").tolist() == [[124, 255, 29, 2]]
    assert read_luminance(path, "bt601").tolist() == [[124, 255, 29, 2]]


def test_the_rules_differ_where_they_should(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    path = save(tmp_path / "a.png", generator.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    difference = read_luminance(path, "matlab").astype(int) - read_luminance(path, "bt601")
    assert 0 < np.count_nonzero(difference) < difference.size / 50
    assert np.abs(difference).max() == 1


@pytest.mark.parametrize("rule", ["matlab", "bt601"])
def test_gray_values_pass_unchanged(tmp_path: Path, rule: str) -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (read_luminance(save(tmp_path / "l.png", gray), rule) == gray).all()  # type: ignore[arg-type]
    rgb = np.repeat(gray[..., None], 3, axis=2)
    assert (read_luminance(save(tmp_path / "rgb.png", rgb), rule) == gray).all()  # type: ignore[arg-type]
    rgba = np.concatenate([rgb, np.zeros_like(gray)[..., None]], axis=2)
    assert (read_luminance(save(tmp_path / "rgba.png", rgba), rule) == gray).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"0" * 50])
def test_unreadable_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.png cannot be read as an image"):
        read_luminance(path, "bt601")


def test_a_truncated_image_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "cut.png", np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"cut\.png cannot be read"):
        read_luminance(path, "bt601")


def test_whatever_the_reader_raises_of_a_damaged_image_names_the_file(tmp_path: Path) -> None:
    """A palette that is too long is a ValueError of Pillow's, not an OSError."""
    path = tmp_path / "palette.tif"
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).convert("P").save(path)
    entry, long = (b"\x40\x01\x03\x00" + size.to_bytes(4, "little") for size in (768, 900))
    assert path.read_bytes().count(entry) == 1
    path.write_bytes(path.read_bytes().replace(entry, long) + bytes(2000))
    with pytest.raises(ValueError, match=r"palette\.tif cannot be read as an image \(invalid palette size\)"):
        read_luminance(path, "bt601")


def test_sixteen_bit_images_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "deep.png", np.zeros((8, 8), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"deep\.png has pixels of mode 'I;16'; convert it to 8-bit"):
        read_luminance(path, "bt601")


def test_test_images_are_turned_as_their_exif_data_say_and_training_images_are_not(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held upright
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_luminance(tmp_path / "a.png", "bt601"), np.rot90(pixels, -1))
    np.testing.assert_array_equal(read_luminance(tmp_path / "a.png", "matlab"), pixels)


def test_unit_range_is_the_float32_quotient() -> None:
    values = unit_range(np.arange(256, dtype=np.uint8))
    assert values.dtype == np.float32
    assert (values == (np.arange(256) / 255).astype(np.float32)).all()


def test_folder_sets_are_sorted_and_hashed_by_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        for index, name in enumerate(("b.png", "a.PNG", "c.bmp")):
            save(folder / name, np.full((8, 8), index, dtype=np.uint8))
        (folder / "notes.txt").write_text("not an image")
        (folder / "album.png").mkdir()
    assert [p.name for p in image_set(str(one)).paths] == ["a.PNG", "b.png", "c.bmp"]
    assert image_hash(str(one)) == image_hash(str(two))
    save(two / "a.PNG", np.full((8, 8), 9, dtype=np.uint8))
    assert image_hash(str(one)) != image_hash(str(two))


def test_names_that_no_table_can_hold_are_refused(tmp_path: Path) -> None:
    """Written in an older encoding, as archives of images have them; such a name would be met in the last line of a trial."""
    image = save(tmp_path / "a.png", np.zeros((8, 8), dtype=np.uint8))
    try:
        image.rename(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(
        ValueError, match=r"'caf\\udce9\.png' is no name in UTF-8, in which scores are written; rename it"
    ):
        image_set(str(tmp_path))


def test_unknown_and_empty_sets_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'set12' is neither registered nor a folder .*; did you mean 'set11'"):
        image_set("set12")
    with pytest.raises(ValueError, match="holds no images; put"):
        image_set(str(tmp_path))


def test_bundled_photographs_are_there_unchanged_and_disjoint() -> None:
    names = [name for name in registry() if name.startswith("photographs-")]
    assert len(names) == 3
    files = [path.name for name in names for path in image_set(name).paths]  # checks every sha256
    assert len(files) == len(set(files)) == 13
    train = {path.name for path in image_set("photographs-train").paths}
    assert {"motorcycle_left.png", "motorcycle_right.png"} <= train  # two views of one scene


def test_downloaded_sets_have_addresses_that_cannot_change() -> None:
    downloaded = {name: entry for name, entry in registry().items() if not entry.package}
    counts = {name: len(entry.files) for name, entry in downloaded.items()}
    assert counts == {"t91": 91, "set11": 11, "bsd68": 68, "bsd100": 100, "urban100": 100}
    for entry in downloaded.values():
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/.+/\{file\}", entry.url)
        assert entry.name == "t91" or len(set(entry.files.values())) == len(entry.files), "an image is tested twice"
        assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in entry.files.values())


def test_published_sets_match_the_registry(data_root: Path) -> None:
    assert [len(image_set(name).paths) for name in ("t91", "set11", "bsd68")] == [91, 11, 68]
    assert data_root.is_dir()
