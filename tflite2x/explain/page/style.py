# SPDX-License-Identifier: Apache-2.0
"""The frame of the page, with its style sheet."""

from __future__ import annotations

from string import Template

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>$title</title>
<style>
:root { color-scheme: light; --line: #d8dce2; --soft: #5b6573; --accent: #2166ac; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1180px; padding: 1.5rem; color: #1c2430; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
nav a { margin-right: 1rem; } a { color: var(--accent); }
.facts { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.facts div { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .9rem; min-width: 7rem; }
.facts b { display: block; font-size: 1.15rem; }
.scroll { overflow: auto; max-height: 75vh; border: 1px solid var(--line); border-radius: 8px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; width: 100%; }
th, td { text-align: left; padding: .28rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { position: sticky; top: 0; background: #f3f5f8; z-index: 1; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.name { overflow-wrap: anywhere; min-width: 12rem; }
.t { white-space: nowrap; }
tr:target { background: #fff4cf; }
.graph { display: block; margin: 0 auto; font: 12px system-ui, sans-serif; }
.node rect { fill: #eef1f5; stroke: #9aa5b4; } .node text { text-anchor: middle; fill: #1c2430; }
.node .name { font-weight: 600; } .node .detail { fill: #46505e; font-size: 11px; }
.node.weights rect { fill: #dcebf9; stroke: #6ea3d3; } .node.pool rect { fill: #e2f3e1; stroke: #7dbb7a; }
.node.convert rect { fill: #fdf0d5; stroke: #d9ae55; } .node.shape rect { fill: #efe7f7; stroke: #a98bc9; }
.node.io rect { fill: #fff; stroke: #1c2430; } .edge { fill: none; stroke: #8b96a5; stroke-width: 1.3; }
.bars rect, .share rect { fill: #6ea3d3; } .share .back { fill: #e8ebf0; }
.bars text { font: 11px system-ui, sans-serif; fill: var(--soft); } .bars .end { text-anchor: end; }
.line polyline { fill: none; stroke: var(--accent); stroke-width: 1.2; }
.weights { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: 1rem; }
.weights figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; padding: .7rem; overflow: hidden; }
.weights figcaption { overflow-wrap: anywhere; font-size: .87rem; margin-bottom: .5rem; }
.weights img { image-rendering: pixelated; max-width: 100%; display: block; margin-bottom: .5rem; }
.bad { color: #b2182b; font-weight: 600; }
@media print { .scroll { max-height: none; } }
</style>
</head>
<body>
$body
</body>
</html>
""")
