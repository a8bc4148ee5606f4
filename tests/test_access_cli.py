from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result

from llmgate import cli
from llmgate.access import keys
from llmgate.storage import places
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer
from llmgate.storage.sql_ledger import SqlLedger


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMGATE_DATA_DIR", str(tmp_path / "data"))
    for name in ("LLMGATE_CONFIG", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data"


def run(*args: str) -> Result:
    return CliRunner().invoke(cli.main, args)


def done(*args: str) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def listed() -> list[dict[str, object]]:
    return [json.loads(line) for line in done("keys", "list", "--json").splitlines()]


def test_listing_no_keys_stores_nothing(data: Path) -> None:
    assert done("keys", "list") == ""
    assert not data.exists()


def test_a_created_key_is_printed_once_and_listed() -> None:
    value = done(
        "keys", "create", "--alias", "ci", "--model", "gpt-4o", "--budget", "5", "--per", "30d"
    )

    assert keys.is_valid(value)
    (row,) = listed()
    assert (row["token"], row["key_alias"]) == (keys.token(value), "ci")
    assert (row["models"], row["max_budget"], row["budget_duration"]) == (["gpt-4o"], 5.0, "30d")
    assert "ci" in done("keys", "list") and value not in done("keys", "list")


def test_every_field_of_the_api_can_be_given() -> None:
    done("keys", "create", "--fields", '{"tpm_limit": 1000, "tags": ["a"]}')

    assert listed()[0]["tpm_limit"] == 1000


def test_a_key_is_blocked_rotated_and_deleted() -> None:
    value = done("keys", "create", "--alias", "ci")

    assert done("keys", "block", "ci") == "blocked"
    assert listed()[0]["blocked"] is True
    assert done("keys", "unblock", value) == "unblocked"
    new = done("keys", "rotate", "ci", "--grace", "1h")
    assert listed()[0]["token"] == keys.token(new)
    assert done("keys", "delete", "ci") == "deleted"
    assert listed() == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["keys", "block", "none"], "Key not found."),
        (["keys", "delete", "none"], "Key not found."),
        (["keys", "create", "--per", "x"], "Invalid budget_duration 'x'."),
        (["keys", "create", "--fields", "[]"], "--fields must be a JSON object"),
        (["keys", "list", "-c", "/nowhere.yaml"], "/nowhere.yaml: cannot be read"),
    ],
)
def test_a_mistake_is_one_line(args: list[str], message: str) -> None:
    done("keys", "create")

    result = run(*args)

    assert result.exit_code == 2
    assert result.output.startswith(f"llmgate: {message}")
    assert len(result.output.splitlines()) == 1


def test_a_place_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMGATE_DATA_DIR", "/proc/nowhere")

    result = run("keys", "create")

    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert "/proc/nowhere/control.db cannot be used" in result.output


def test_the_ledger_is_checked_and_repaired(data: Path) -> None:
    ledger = SqlLedger(places.database(data, "ledger"))
    ledger.settle(Call("r1", 1, Payer("k1"), 200, 5), 1)
    assert done("ledger", "check") == "0 sums differ"
    ledger.database.write(
        lambda db: db.execute("update spend set spent = 6 where scope = 'key:k1'")
    )

    wrong = run("ledger", "check")
    assert (wrong.exit_code, "key:k1 all time" in wrong.output) == (1, True)
    assert done("ledger", "check", "--repair").endswith("1 sums differ, repaired")
    assert done("ledger", "check") == "0 sums differ"


def test_everything_moves_to_another_directory(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("keys", "create", "--alias", "ci")
    spent = Payer(str(listed()[0]["token"]))
    SqlLedger(places.database(data, "ledger")).settle(Call("r1", 1, spent, 200, 10**9), 1)
    file = tmp_path / "all.jsonl"
    done("export", str(file))
    before = listed()

    monkeypatch.setenv("LLMGATE_DATA_DIR", str(tmp_path / "other"))

    assert done("import", str(file)) == "imported: 1 records, 1 audit, 1 calls"
    assert listed() == before
    assert before[0]["spend"] == 1.0
    assert file.stat().st_mode & 0o777 == 0o600
    assert done("ledger", "check") == "0 sums differ"


def test_wrong_sums_are_not_exported(tmp_path: Path, data: Path) -> None:
    ledger = SqlLedger(places.database(data, "ledger"))
    ledger.settle(Call("r1", 1, Payer("k1"), 200, 5), 1)
    ledger.database.write(lambda db: db.execute("update spend set spent = 6"))

    assert "ledger check --repair" in run("export", str(tmp_path / "all.jsonl")).output
