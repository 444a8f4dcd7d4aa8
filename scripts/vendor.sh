#!/bin/sh
# Rebuild static/vendor, static/img/icons.svg and tests/vendor from the pinned packages of scripts/vendor/package.json.
# Needs npm and node; nobody needs it to run Galley. `NODE_MODULES=dir scripts/vendor.sh` skips the download.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$root/scripts/vendor/package.json" "$root/scripts/vendor/codemirror.js" "$work/"
if [ -n "${NODE_MODULES:-}" ]; then
  ln -s "$NODE_MODULES" "$work/node_modules"
else
  (cd "$work" && npm install --no-audit --no-fund)
fi
modules="$work/node_modules"
out="$root/static/vendor"
rm -rf "$out/tabler" "$out/htmx" "$out/plotly" "$out/codemirror" "$out/fonts"
mkdir -p "$out/tabler" "$out/htmx" "$out/plotly" "$out/codemirror" "$out/fonts" "$root/tests/vendor"

# Source maps are not vendored, and a hashing static storage refuses a file that names a missing one.
copy() { sed -e 's|/[/*]# sourceMappingURL=[^ ]*\( [*]/\)\{0,1\}||' "$1" > "$2"; }

copy "$modules/@tabler/core/dist/css/tabler.min.css" "$out/tabler/tabler.min.css"
copy "$modules/@tabler/core/dist/js/tabler.min.js" "$out/tabler/tabler.min.js"
cp "$modules/@tabler/icons/LICENSE" "$out/tabler/LICENSE-icons"
sed -e 's/^Copyright .*/Copyright (c) 2018-2026 The Tabler Authors, codecalm.net Paweł Kuna/' \
  "$modules/@tabler/icons/LICENSE" > "$out/tabler/LICENSE"
copy "$modules/htmx.org/dist/htmx.min.js" "$out/htmx/htmx.min.js"
cp "$modules/htmx.org/LICENSE" "$out/htmx/LICENSE"
copy "$modules/plotly.js-basic-dist-min/plotly-basic.min.js" "$out/plotly/plotly-basic.min.js"
cp "$modules/plotly.js-basic-dist-min/LICENSE" "$out/plotly/LICENSE"
for font in inter newsreader; do
  for subset in latin latin-ext; do
    cp "$modules/@fontsource-variable/$font/files/$font-$subset-wght-normal.woff2" "$out/fonts/"
  done
  cp "$modules/@fontsource-variable/$font/LICENSE" "$out/fonts/LICENSE-$font"
done
cp "$modules/axe-core/axe.min.js" "$root/tests/vendor/axe.min.js"
cp "$modules/axe-core/LICENSE" "$root/tests/vendor/LICENSE-axe"

"$modules/esbuild/bin/esbuild" "$work/codemirror.js" --bundle --minify --format=iife --target=es2022 \
  --legal-comments=none --log-level=warning --preserve-symlinks --outfile="$out/codemirror/codemirror.min.js"
cp "$modules/@codemirror/view/LICENSE" "$out/codemirror/LICENSE"

cd "$root"
"${PYTHON:-python3}" -m apps.core.icons "$modules/@tabler/icons/icons/outline" static/img/icons.svg
"${PYTHON:-python3}" scripts/vendor/manifest.py
