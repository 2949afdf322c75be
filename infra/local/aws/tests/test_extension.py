"""ministack's private names: pinned, present, and missed loudly."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from meridian_aws import extension
from meridian_aws.iam import MINISTACK_VERSION, MinistackChanged
from meridian_aws.quality_evaluator import rule_result
from meridian_aws.settings import read_settings

PRIVATE_NAMES = [
    ("ministack.app", "SERVICE_HANDLERS"), ("ministack.app", "SERVICE_REGISTRY"), ("ministack.app", "_loaded_modules"),
    ("ministack.app", "_state_map"), ("ministack.app", "_build_persistence_save_dict"), ("ministack.core.router", "SERVICE_PATTERNS"),
    ("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS"), ("ministack.services.glue", "handle_request"),
    ("ministack.core.persistence", "save_state"), ("ministack.core.responses", "get_account_id"), ("ministack.app", "AUTH"),
    ("ministack.core.iam_evaluator", "enforce"), ("ministack.core.iam_evaluator", "_service_principal_matches"),
    ("ministack.services.sts", "_sessions"), ("ministack.services.iam", "_access_keys"),
]


@pytest.fixture
def settings(tmp_path: Path):
    return read_settings({"STATE_DIR": str(tmp_path), "MERIDIAN_SPARK_JARS": str(tmp_path)})


def test_the_pinned_ministack_is_installed() -> None:
    pins = (Path(__file__).parent.parent / "requirements.txt").read_text()

    assert importlib.metadata.version("ministack") == MINISTACK_VERSION
    assert f"ministack=={MINISTACK_VERSION}\n" in pins


def test_installing_registers_both_services_their_state_and_their_resource_types(settings) -> None:
    import ministack.app as app
    from ministack.services.cloudformation import provisioners

    extension.install(settings)

    assert "emr-serverless" in app.SERVICE_HANDLERS
    assert {"AWS::EMRServerless::Application", "AWS::Glue::DataQualityRuleset"} <= set(provisioners._RESOURCE_HANDLERS)
    assert {"AWS::ApplicationAutoScaling::ScalableTarget", "AWS::EC2::NatGateway", "AWS::RDS::DBCluster"} <= set(provisioners._RESOURCE_HANDLERS)
    assert {"meridian_emr_serverless", "meridian_glue_data_quality"} <= set(app._build_persistence_save_dict())


@pytest.mark.parametrize(("module", "name"), PRIVATE_NAMES)
def test_a_name_that_moved_stops_the_start_and_is_named(settings, monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> None:
    monkeypatch.delattr(f"{module}.{name}")

    with pytest.raises(MinistackChanged, match=rf"{module}\.{name}: .*{MINISTACK_VERSION}"):
        extension.install(settings)


@pytest.mark.parametrize(("outcome", "reason", "metrics", "result"), [
    ("Passed", None, {"a": 1.0}, "PASS"),
    ("Failed", "Value: 0.8 does not meet the constraint requirement!", {"a": 0.8}, "FAIL"),
    ("Failed", None, {"a": 0.8}, "FAIL"),
    ("Passed", None, {}, "ERROR"),
    ("Failed", "Input data does not include column a!", {}, "ERROR"),
    ("Failed", "Can't execute the assertion: no history", {"a": 1.0}, "ERROR"),
    ("Skipped", None, {"a": 1.0}, "FAIL"),
])
def test_a_rule_passes_only_with_evidence(outcome: str, reason: str | None, metrics: dict[str, float], result: str) -> None:
    assert rule_result("rule", outcome, reason, metrics)["result"] == result
