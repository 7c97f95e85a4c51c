import pytest

from sightline_api.search.languages import is_english


@pytest.mark.parametrize(
    "text",
    [
        "dog",
        "a red bicycle",
        "tiger",
        "sunset over the sea",
        "a photo of a dog",
        "old man with hat",
        "paris at night",
        "piano",
        "IMG_1234",
        "42",
        "🐶",
        "",
        "a cat\non a sofa",
        "a cat on a sofa " * 200,
    ],
)
def test_english_and_what_might_be_it(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "ein rotes Fahrrad",
        "Katze auf dem Sofa",
        "Sonnenuntergang",
        "una bicicleta roja",
        "perro en la playa",
        "un vélo rouge",
        "una bicicletta rossa",
        "uma bicicleta vermelha",
        "een rode fiets",
        "czerwony rower",
        "kırmızı bisiklet",
        "红色自行车",
        "猫",
        "赤い自転車",
        "빨간 자전거",
        "красный велосипед",
        "ποδήλατο",
        "دراجة حمراء",
    ],
)
def test_other_languages(text: str) -> None:
    assert not is_english(text)
