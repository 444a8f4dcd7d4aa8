"""Write static/vendor/manifest.json: what each vendored file is, its version, licence and sha256."""

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODEMIRROR = ["codemirror", "@codemirror/view", "@codemirror/state", "@codemirror/commands", "@codemirror/language"]
CODEMIRROR += ["@codemirror/lang-markdown", "@codemirror/lang-json", "@codemirror/autocomplete", "@codemirror/lint"]
CODEMIRROR += ["@codemirror/merge"]
INTER, NEWSREADER = "@fontsource-variable/inter", "@fontsource-variable/newsreader"
FILES: dict[str, tuple[str, str, list[str]]] = {
    "static/vendor/tabler/tabler.min.css": ("Tabler", "MIT", ["@tabler/core"]),
    "static/vendor/tabler/tabler.min.js": ("Tabler", "MIT", ["@tabler/core"]),
    "static/vendor/htmx/htmx.min.js": ("htmx", "0BSD", ["htmx.org"]),
    "static/vendor/plotly/plotly-basic.min.js": ("Plotly basic", "MIT", ["plotly.js-basic-dist-min"]),
    "static/vendor/codemirror/codemirror.min.js": ("CodeMirror 6, our bundle", "MIT", CODEMIRROR),
    "static/vendor/fonts/inter-latin-wght-normal.woff2": ("Inter", "OFL-1.1", [INTER]),
    "static/vendor/fonts/inter-latin-ext-wght-normal.woff2": ("Inter", "OFL-1.1", [INTER]),
    "static/vendor/fonts/newsreader-latin-wght-normal.woff2": ("Newsreader", "OFL-1.1", [NEWSREADER]),
    "static/vendor/fonts/newsreader-latin-ext-wght-normal.woff2": ("Newsreader", "OFL-1.1", [NEWSREADER]),
    "static/img/icons.svg": ("Tabler icons, our selection", "MIT", ["@tabler/icons"]),
    "tests/vendor/axe.min.js": ("axe-core", "MPL-2.0", ["axe-core"]),
}


def main() -> None:
    """Hash every vendored file and write the manifest."""
    pinned: dict[str, str] = json.loads((ROOT / "scripts/vendor/package.json").read_text())["dependencies"]
    entries = [
        {
            "path": path,
            "name": name,
            "version": pinned[packages[0]],
            "licence": licence,
            "source": [f"{package}@{pinned[package]}" for package in packages],
            "sha256": hashlib.sha256((ROOT / path).read_bytes()).hexdigest(),
        }
        for path, (name, licence, packages) in FILES.items()
    ]
    (ROOT / "static/vendor/manifest.json").write_text(json.dumps({"files": entries}, indent=2) + "\n")


if __name__ == "__main__":
    main()
