"""Names of objects: every key comes back, and nothing outside of what is allowed is reached."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.buckets.addresses import AllowedBuckets, ObjectAddress, Scheme, names_object, parse_address
from sightline.errors import BucketUnusable, SettingsError

KEYS = st.text(max_size=40).filter(lambda key: not any("\ud800" <= letter <= "\udfff" for letter in key))


@given(key=KEYS)
def test_any_key_survives_as_a_url(key: str) -> None:
    address = ObjectAddress(Scheme.S3, "photos", key)

    assert address.url.isascii()
    assert names_object(address.url)
    assert parse_address(address.url) == address


def test_key_as_tools_write_it_is_taken_as_it_is() -> None:
    assert parse_address("s3://photos/My photo 100%? #1.jpg").key == "My photo 100%? #1.jpg"
    assert parse_address("abfs://photos/a.jpg") == ObjectAddress(Scheme.AZURE, "photos", "a.jpg")


@pytest.mark.parametrize(
    "text",
    [
        "photos/a.jpg",
        "s3:/photos/a.jpg",
        "s3://",
        "s3:///a.jpg",
        "s3://../a.jpg",
        "s3://key:secret@photos/a.jpg",
        "file://photos/a.jpg",
        "https://photos/a.jpg",
        "s3://photos/%ff.jpg",
    ],
)
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(BucketUnusable) as caught:
        parse_address(text)
    assert caught.value.code == "bucket_url_invalid"


ALLOWED = AllowedBuckets(["s3://photos", "s3://shop/catalogue/", "gs://album/2024"])


@pytest.mark.parametrize(
    "url",
    [
        "s3://photos/a.jpg",
        "s3://photos/a/b.jpg",
        "s3://photos/",
        "s3://photos/...",
        "s3://shop/catalogue/a.jpg",
        "s3://shop/catalogue//a.jpg",
        "gs://album/2024",
        "gs://album/2024/a.jpg",
    ],
)
def test_what_lies_inside_is_allowed(url: str) -> None:
    ALLOWED.check(parse_address(url))


@pytest.mark.parametrize(
    "url",
    [
        "s3://photos-private/a.jpg",
        "gs://photos/a.jpg",
        "s3://shop/catalogue",
        "s3://shop/catalogue-private/a.jpg",
        "s3://shop/Catalogue/a.jpg",
        "s3://shop/catalogue/../secret.jpg",
        "s3://shop/catalogue/%2e%2e/secret.jpg",
        "s3://photos/../shop/secret.jpg",
        "s3://photos/./a.jpg",
        "s3://shop/a.jpg",
        "gs://album/20245/a.jpg",
    ],
)
def test_what_lies_outside_is_not(url: str) -> None:
    with pytest.raises(BucketUnusable) as caught:
        ALLOWED.check(parse_address(url))
    assert caught.value.code == "bucket_not_allowed"


def test_setting_that_is_no_bucket_is_a_fault_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_BUCKETS"):
        AllowedBuckets(["photos"])
