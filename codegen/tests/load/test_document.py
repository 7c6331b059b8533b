from __future__ import annotations

from pathlib import Path

import pytest

from sandkit_codegen.load import (
    ListNode,
    MapNode,
    Position,
    ScalarNode,
    SpecError,
    follow,
    parse_document,
    plain,
    read_document,
    walk,
)


def _plain(text: str) -> object:
    return plain(parse_document("a.yaml", text.encode()).root)


def _findings(content: bytes) -> list[str]:
    with pytest.raises(SpecError) as raised:
        parse_document("a.yaml", content)
    return [str(finding) for finding in raised.value.findings]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("''", ""),
        ("'null'", "null"),
        ('"1"', "1"),
        ("12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0x1f", 31),
        ("010", 10),
        ("1_000", "1_000"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.0.0", "1.0.0"),
        ("2026-11-02T09:30:00Z", "2026-11-02T09:30:00Z"),
        ("2026-11-02", "2026-11-02"),
        ("12:30:00", "12:30:00"),
        ("500m", "500m"),
        (".inf", ".inf"),
        ("[]", []),
        ("{}", {}),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    assert _plain(f"key: {text}\n") == {"key": value}


def test_an_empty_value_is_null() -> None:
    assert _plain("key:\n") == {"key": None}


def test_keys_are_strings_whatever_they_look_like() -> None:
    assert _plain("200: a\ntrue: b\nnull: c\n1.5: d\n") == {"200": "a", "true": "b", "null": "c", "1.5": "d"}


def test_every_node_and_every_key_knows_its_place() -> None:
    root = parse_document("dir/a.yaml", b"one: 1\ntwo:\n  - {three: 'x'}\n  - four\n").root
    assert isinstance(root, MapNode)
    places = {"/".join(path): str(node.position) for path, node in walk(root)}
    assert places == {
        "": "dir/a.yaml:1:1",
        "one": "dir/a.yaml:1:6",
        "two": "dir/a.yaml:3:3",
        "two/0": "dir/a.yaml:3:5",
        "two/0/three": "dir/a.yaml:3:13",
        "two/1": "dir/a.yaml:4:5",
    }
    assert root.at("two") == Position("dir/a.yaml", 2, 1)
    assert root.at("absent") == Position("dir/a.yaml", 1, 1)


def test_nodes_are_read_by_kind() -> None:
    root = parse_document("a.yaml", b"text: x\nnumber: 1\nlist: [1, a]\nmap: {b: null}\n").root
    assert isinstance(root, MapNode)
    assert (root.text("text"), root.text("number"), root.text("absent")) == ("x", None, None)
    assert (root.map("text"), [plain(item) for item in root.items_of("list")]) == (None, [1, "a"])
    assert root.items_of("map") == ()
    inner = root.map("map")
    assert inner is not None
    assert isinstance(inner.get("b"), ScalarNode)
    assert inner.get("absent") is None


def test_a_path_leads_through_maps_and_lists() -> None:
    root = parse_document("a.yaml", b"a: [{b: c}]\n").root
    found = follow(root, ("a", "0", "b"))
    assert isinstance(found, ScalarNode)
    assert found.value == "c"
    for path in (("a", "1"), ("a", "x"), ("a", "0", "z"), ("a", "0", "b", "c"), ("a", "-1")):
        assert follow(root, path) is None


def test_plain_data_can_be_changed_without_changing_the_document() -> None:
    document = parse_document("a.yaml", b"a: [1]\n")
    copy = plain(document.root)
    assert isinstance(copy, dict)
    copy["a"] = "changed"
    assert plain(document.root) == {"a": [1]}


def test_an_alias_is_the_anchored_node() -> None:
    root = parse_document("a.yaml", b"a: &x [1, 2]\nb: *x\n").root
    assert isinstance(root, MapNode)
    assert root.entries["a"] is root.entries["b"]
    assert isinstance(root.entries["b"], ListNode)
    assert root.entries["b"].position.line == 1


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (
            b"a: 1\nb: 2\na: 3\n",
            "a.yaml:3:1: yaml-duplicate-key: The key 'a' was already given on line 1. "
            "Remove one of the two, or rename it.",
        ),
        (
            b"x: &x {a: 1}\ny:\n  <<: *x\n",
            "a.yaml:3:3: yaml-merge-key: Merge keys (`<<`) are not YAML 1.2. "
            "Write the fields out, or alias the whole value.",
        ),
        (
            b"a: !!int '1'\n",
            "a.yaml:1:4: yaml-tag: The tag 'tag:yaml.org,2002:int' has no meaning in JSON. "
            "Remove it; quote the value to make it a string.",
        ),
        (
            b"a: !secret x\n",
            "a.yaml:1:4: yaml-tag: The tag '!secret' has no meaning in JSON. "
            "Remove it; quote the value to make it a string.",
        ),
        (b"[1]: a\n", "a.yaml:1:1: yaml-key: A key is not a string. Use a plain word as the key."),
        (
            b"a: &x [*x]\n",
            "a.yaml:1:4: yaml-recursion: This anchor contains itself. Write the value out.",
        ),
        (b"", "a.yaml:1:1: yaml-empty: The file holds no document. Write its content, or delete the file."),
        (
            b"# nothing\n",
            "a.yaml:1:1: yaml-empty: The file holds no document. Write its content, or delete the file.",
        ),
        (
            b"a: 1\nb: \xff\n",
            "a.yaml:2:4: yaml-encoding: The byte 0xFF is not UTF-8. Save the file as UTF-8.",
        ),
        (
            "a: 1\nü: \x07\n".encode(),
            "a.yaml:2:4: yaml-character: The character U+0007 is not allowed in YAML. "
            "Remove it or write it as an escape.",
        ),
    ],
)
def test_what_json_cannot_say_is_refused_in_its_place(content: bytes, finding: str) -> None:
    assert _findings(content) == [finding]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"a: [1, 2\nb: 3\n", "2:2"),
        (b"a:\n  - b\n c: d\n", "3:2"),
        (b"a: b: c\n", "1:5"),
        (b"\ta: 1\n", "1:1"),
        (b"a: *nowhere\n", "1:4"),
        (b"a: 1\n---\nb: 2\n", "2:1"),
        (b"a: 'open\n", "2:1"),
    ],
)
def test_malformed_yaml_is_a_finding_in_its_place(content: bytes, place: str) -> None:
    (finding,) = _findings(content)
    assert finding.startswith(f"a.yaml:{place}: yaml-syntax: Not well-formed YAML: ")
    assert finding.endswith(". Correct the indentation, quotes or brackets here.")


def test_every_repeated_key_is_reported() -> None:
    assert [finding.split(": ")[0] for finding in _findings(b"a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n")] == [
        "a.yaml:2:1",
        "a.yaml:3:11",
        "a.yaml:4:1",
    ]


def test_depth_is_bounded() -> None:
    (finding,) = _findings(b"[" * 100_000)
    assert finding == "a.yaml:1:101: yaml-depth: More than 100 levels of nesting. Flatten the document."


def test_a_byte_order_mark_is_taken_away() -> None:
    assert _plain("\ufeffa: 1\n") == {"a": 1}


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        read_document(tmp_path / "none.yaml")
    assert str(raised.value) == (
        f"{tmp_path.as_posix()}/none.yaml:1:1: file-missing: "
        "Cannot be read: No such file or directory. Create the file."
    )
