"""The dashboard and the alert rules can be loaded, and ask for nothing that nobody tells."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric

FOLDER = Path(__file__).resolve().parents[2] / "docs/operations"
OF_PROMETHEUS = {"up"}
_NO_METRICS = re.compile(
    r'"[^"]*"'  # values of labels
    r"|\{[^}]*\}"  # matchers
    r"|\[[^\]]*\]"  # ranges
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
    r"|\b(?:and|or|unless|bool|offset)\b"
)
_NAME = re.compile(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()")  # no functions
_PARTS = {"histogram": ("_bucket", "_sum", "_count")}


def names(expression: str) -> set[str]:
    """The metrics that an expression of PromQL is about."""
    return set(_NAME.findall(_NO_METRICS.sub(" ", expression)))


@pytest.fixture
def series(api_families: dict[str, Metric], embedder_families: dict[str, Metric]) -> dict[str, set[str]]:
    """The names of all series, each with its labels."""
    return {
        name + part: {label for one in family.samples for label in one.labels} - {"le"}
        for families in (api_families, embedder_families)
        for name, family in families.items()
        for part in _PARTS.get(family.type, ("",))
    }


@pytest.fixture
def dashboard() -> Any:
    return json.loads((FOLDER / "dashboard.json").read_text())


@pytest.fixture
def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def queries(dashboard: Any) -> Iterator[str]:
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))


def labels_asked_for(expression: str) -> set[str]:
    """Labels that an expression groups by or matches, but those that Prometheus adds."""
    groups = re.findall(r"\bby\s*\(([^)]*)\)", expression)
    matchers = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    return {label.strip() for group in groups for label in group.split(",")} | set(matchers) - {"job"}


def test_names_are_found_in_expressions() -> None:
    expression = (
        'quantile(0.9, sum by (le, stage) (rate(a_seconds_bucket{x=~"b.*"}[5m]))) > 2 * c_total and d'
    )

    assert names(expression) == {"a_seconds_bucket", "c_total", "d"}
    assert labels_asked_for(expression) == {"le", "stage", "x"}


def test_every_query_of_the_dashboard_is_about_metrics_there_are(
    dashboard: Any, series: dict[str, set[str]]
) -> None:
    asked = {name: query for query in queries(dashboard) for name in names(query)}

    assert {name: query for name, query in asked.items() if name not in series} == {}
    assert len(asked) > 20


def test_every_query_groups_by_labels_there_are(
    dashboard: Any, rules: list[dict[str, Any]], series: dict[str, set[str]]
) -> None:
    for query in [*queries(dashboard), *(rule["expr"] for rule in rules)]:
        there = {"le"}.union(*(series.get(name, set()) for name in names(query)))
        assert labels_asked_for(query) <= there, query


def test_the_dashboard_has_a_row_for_each_concern(dashboard: Any) -> None:
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}

    assert rows == ["Search", "Ingest", "Queue", "Failures", "Resources"]
    assert [one["name"] for one in dashboard["__inputs"]] == ["DS_PROMETHEUS"]
    assert all(panel["datasource"] == source and panel["targets"] for panel in panels)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_alert_says_what_to_do(rules: list[dict[str, Any]], series: dict[str, set[str]]) -> None:
    for rule in rules:
        assert re.fullmatch(r"Sightline[A-Za-z]+", rule["alert"])
        assert names(rule["expr"]) <= series.keys() | OF_PROMETHEUS, rule["alert"]
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert rule["annotations"]["runbook"].count(".") > 1
    alerts = [rule["alert"] for rule in rules]
    assert len(set(alerts)) == len(alerts)


def test_there_is_an_alert_for_each_way_to_fail(rules: list[dict[str, Any]]) -> None:
    about = {name for rule in rules for name in names(rule["expr"])}

    assert about >= {
        "up",
        "sightline_redis_up",
        "sightline_queue_oldest_message_seconds",
        "sightline_pictures_total",
        "sightline_http_requests_total",
        "sightline_recall_at_10_sum",
        "sightline_media_free_bytes",
    }


def test_settings_that_runbooks_name_exist(rules: list[dict[str, Any]]) -> None:
    from sightline.settings import Settings

    named = {
        name.lower()
        for rule in rules
        for name in re.findall(r"SIGHTLINE_(\w+)", rule["annotations"]["runbook"])
    }
    assert named <= set(Settings.model_fields)
    assert named
