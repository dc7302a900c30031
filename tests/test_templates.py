"""Templates: what is put in is escaped, and nothing may be missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from striate.common.templates import rendered


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with a template below it and one in a folder."""
    name = f"templates_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name / "pages"
    folder.mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "top.html").write_text("<p>{{ text }}</p>\n")
    (folder / "page.html").write_text(
        '{% for text in texts %}\n<p title="{{ text }}">{{ text|loud }}</p>\n{% endfor %}\n'
        "{{ mark|safe }}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_text_is_escaped_and_statements_leave_no_lines(package: str) -> None:
    values = {"texts": ["<b>", "\"&'"], "mark": "<hr>"}
    page = rendered(package, "pages/page.html", values, {"loud": str.upper})
    assert page == (
        '<p title="&lt;b&gt;">&lt;B&gt;</p>\n<p title="&#34;&amp;&#39;">&#34;&amp;&#39;</p>\n<hr>'
    )


def test_a_template_beside_the_code(package: str) -> None:
    assert rendered(package, "top.html", {"text": 1}) == "<p>1</p>"


def test_a_name_without_a_value_is_an_error(package: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match="text"):
        rendered(package, "top.html", {})
