"""The lines in docs/api.md run as they stand, against the real server; and their Chinese twin's."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "docs/api.md", ROOT / "docs/api.zh-CN.md")
ADDRESS = "http://127.0.0.1:7860/"


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, lines) of each block of code."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


BLOCKS = blocks(PAGES[0])


def of(language: str, *words: str) -> list[str]:
    """The blocks in a language that hold all of these words."""
    return [code for kind, code in BLOCKS if kind == language and all(w in code for w in words)]


@pytest.fixture
def run(server: str, tmp_path: Path):
    """`run(program, code)` runs the block at the root of a copy of what it reads."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")

    def started(*command: str, **variables: str) -> str:
        command = [part.replace(ADDRESS.rstrip("/"), server.rstrip("/")) for part in command]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=180,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return started


def test_both_pages_show_the_same_code():
    assert blocks(PAGES[1]) == BLOCKS


def test_no_block_is_left_out():
    assert {language for language, _ in BLOCKS} == {"python", "bash", "js", "json"}


def test_python_without_a_server(run):
    (code,) = of("python", "current()")
    said = run(sys.executable, "-c", code)
    assert "月季花" in said
    assert "(7, 7) (7, 7)" in said


def test_python_over_http(run):
    (code,) = of("python", "gradio_client")
    said = run(sys.executable, "-c", code)
    assert "月季花" in said
    assert "The evidence for Chinese rose flower lies mainly" in said
    assert "金银花 Lonicerae Japonicae Flos" in said


def test_python_over_mcp(run):
    pytest.importorskip("mcp")
    (code,) = of("python", "ClientSession")
    said = run(sys.executable, "-c", code)
    assert "'compare_herbs'" in said
    assert "image/jpeg The evidence for" in said


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="no curl")
def test_curl(run):
    (code,) = of("bash")
    said = run("bash", "-euc", code)
    assert said.count("event: complete") == 3
    assert "event: error" not in said
    assert '"verdict": "certain"' in said


def test_the_client_for_node(run, tmp_path):
    """Runs where HERBDEMO_NODE_MODULES names a folder with @gradio/client; no test downloads it."""
    modules = os.environ.get("HERBDEMO_NODE_MODULES")
    if not modules or not shutil.which("node"):
        pytest.skip("no node, or no HERBDEMO_NODE_MODULES")
    (code,) = of("js", "@gradio/client")
    (tmp_path / "node_modules").symlink_to(modules)
    assert "月季花" in run("node", "--input-type=module", "-e", code)


def test_fetch_in_a_browser(browser, server, tmp_path):
    (code,) = of("js", "FormData")
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{server}gradio_api/info")
    page.set_content('<input type="file">')
    page.set_input_files("input", ROOT / "examples/yuejihua-rose.jpg")
    page.evaluate(f"(async () => {{ {code.replace(ADDRESS.rstrip('/'), server.rstrip('/'))} }})()")
    page.close()
    assert "月季花" in " ".join(said)


def test_the_settings_for_agents_name_the_address(server):
    found = of("json")
    assert len(found) == 4
    for settings in found:
        json.loads(settings)
        assert f"{ADDRESS}gradio_api/mcp/" in settings
    with urllib.request.urlopen(f"{server}gradio_api/mcp/", timeout=30) as page:
        assert page.status == 200
