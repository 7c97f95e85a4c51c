from pathlib import Path

from sightline_embedder.models.catalog import CATALOG, entry_for


def test_names_are_unique() -> None:
    assert len({entry.name for entry in CATALOG}) == len(CATALOG)


def test_every_entry_has_a_license_and_a_note() -> None:
    assert all(entry.license and entry.note for entry in CATALOG)


def test_entry_by_name_and_by_hub_name() -> None:
    assert entry_for("clip-ViT-B-32").source == "sentence-transformers/clip-ViT-B-32"
    assert entry_for("google/siglip2-base-patch32-256").name == "siglip2-base-patch32-256"


def test_hub_name_of_an_image_tower_is_not_the_two_tower_model() -> None:
    assert entry_for("sentence-transformers/clip-ViT-B-32").text_source is None


def test_siglip2_is_padded() -> None:
    assert entry_for("siglip2-base-patch32-256").padding == "max_length"


def test_anything_else_is_taken_as_hub_name_or_folder(tmp_path: Path) -> None:
    entry = entry_for(str(tmp_path / "my-model"))

    assert entry.name == "my-model"
    assert entry.source == str(tmp_path / "my-model")
    assert entry.license == "unknown"
