from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from striate.common.web_modules import WebModuleError, joined
from tests.lab.node_functions import WEB, needs_node


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.js").write_text(text)
    return folder


@needs_node
def test_modules_keep_their_names_to_themselves(tmp_path: Path) -> None:
    write(
        tmp_path,
        deep="const hidden = 2;\nexport function twice(x) {\n  return hidden * x;\n}\n",
        other='import { twice } from "./deep.js";\nconst hidden = 3;\n'
        "export const six = twice(hidden);\nexport class Box {}\n",
        main='import {\n  six,\n  Box,\n} from "./other.js";\n'
        'import { twice as double } from "./deep.js";\n'
        "console.log(six, double(5), typeof Box, typeof hidden);\n",
    )
    text = joined(tmp_path, "main.js")
    ran = subprocess.run(["node", "-e", text], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["6", "10", "function", "undefined"]
    assert text.count("const hidden = 2") == 1


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"main": 'import { a } from "./gone.js";\n'}, "main.js: there is no gone.js"),
        (
            {"main": 'import { a, b } from "./b.js";\n', "b": "export const a = 1, b = 2;\n"},
            "main.js: b.js does not export b",
        ),
        ({"main": 'import a from "./main.js";\n'}, "is in a form that is not understood"),
        ({"main": "export default 3;\n"}, "is in a form that is not understood"),
        (
            {"main": 'import { a } from "./b.js";\n', "b": 'import { c } from "./main.js";\n'},
            "main.js imports b.js imports main.js: a circle",
        ),
    ],
)
def test_what_cannot_be_joined_is_said(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    with pytest.raises(WebModuleError, match=re.escape(said)):
        joined(write(tmp_path, **texts), "main.js")


def test_every_module_is_in_the_page() -> None:
    text = joined(WEB, "core/app.js")
    names = {path.relative_to(WEB).as_posix() for path in WEB.rglob("*.js")}
    types_only = {"core/room.js", "maths/network/layers/layer_pass.js"}
    missing = {
        name
        for name in names - types_only
        if f"module_{re.sub(r'[^a-zA-Z0-9_]', '_', name.removesuffix('.js'))} =" not in text
    }
    assert missing == set()


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
def test_types_hold() -> None:
    """JSDoc's types, by TypeScript, where .ci/run has installed it."""
    tsc = Path("build/node/node_modules/typescript/bin/tsc").resolve()
    if not tsc.is_file():
        pytest.skip("TypeScript is not in build/node: .ci/run installs it")
    ran = subprocess.run(
        ["node", str(tsc), "-p", str(WEB)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
