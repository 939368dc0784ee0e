#!/usr/bin/env python3
"""What auditwheel says of the corpus, as JSON on stdout: by case the tag that `show` gives, the platform tags of the
wheel that `repair` writes (null when it refuses), and what it carries.

    python ask_auditwheel.py OUT

All cases are run in one process each for show and repair, since starting Python takes longer than either.
"""

import contextlib
import io
import json
import logging
import os
import pathlib
import sys
import zipfile


def auditwheel(*args):
    """Its exit code and what it printed."""
    from auditwheel.main import main

    out = io.StringIO()
    sys.argv = ["auditwheel", *map(str, args)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = main()
        except SystemExit as exit:
            code = exit.code
        except Exception as error:
            return f"{type(error).__name__}: {error}", ""
    return code or 0, out.getvalue()


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    corpus = json.loads((out / "corpus.json").read_text())
    os.environ["LD_LIBRARY_PATH"] = corpus["libs"]
    os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    logging.disable(logging.CRITICAL)
    answers = {}
    for case in corpus["cases"]:
        code, printed = auditwheel("show", "--json", case["wheel"])
        shown = json.loads(printed).get("overall_tag") if printed else None
        house = out / "auditwheel" / case["name"]
        code, _ = auditwheel("repair", "-w", house, *case["args"], case["wheel"])
        repaired, carried = None, []
        # It leaves a wheel behind when it fails half-way.
        for wheel in house.glob("*.whl") if code == 0 else []:
            repaired = sorted(wheel.stem.split("-")[-1].split("."))
            carried = sorted(n for n in zipfile.ZipFile(wheel).namelist() if ".libs/" in n and not n.endswith("/"))
        answers[case["name"]] = {"show": shown, "repair": repaired, "carried": carried}
    json.dump(answers, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
