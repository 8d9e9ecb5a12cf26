# SPDX-License-Identifier: Apache-2.0
"""``tflite2x passes``."""

from __future__ import annotations

from typing import Annotated

import typer


def passes(
    name: Annotated[
        str | None, typer.Argument(metavar="[PASS]", help="Show the documentation of this pass.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """List the passes with their options, or explain one."""
    from tflite2x.rewrite.listing import describe_all, describe_pass, render_list, render_pass

    found = [describe_pass(name)] if name is not None else describe_all()
    if json:
        import json as encoder

        print(encoder.dumps(found if name is None else found[0], indent=2))
    else:
        print(render_list(found) if name is None else render_pass(found[0]), end="")
