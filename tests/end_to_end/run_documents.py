#!/usr/bin/env python3
"""Runs the commands a document shows and compares what they print with what it says they print.

    run_documents.py --source DIR --bin DIR [--build DIR] DOCUMENT...

Only blocks fenced as ```console are run; a command that cannot be run here belongs in a ```sh block.

    ```console
    $ hearth serve --port 4566 &
    ready http://127.0.0.1:4566
    $ cat > event.json <<'END'
    > {"n": 1}
    > END
    $ hearth invoke echo --event event.json \\
        --log-level off
    {"n": 1}
    $ hearth invoke absent
    …no function…absent…
    $ echo $?
    2
    ```

- "$ " begins a command; "> " lines, and those after a line that ends in "\\", continue it. The lines up to
  the next command are what it prints, stdout and stderr together: all of it. "…" stands for anything
  within a line, a line "…" alone for any number of lines.
- A command must succeed, unless the next command begins "echo $?".
- A command that ends in "&" runs until the end of its block; the lines below it are awaited in its
  output. Then the block's process group is told to stop, and killed if it does not.
- A block is one bash. The blocks of a document share a scratch folder in which the source's folders and
  files appear by name, so that what is written stays out of the source; the folder given with --build
  appears as build/release, whatever its preset. HEARTH_SOURCE names the source; the folders given with
  --bin come first in PATH; HOME is the scratch folder.
"""

import argparse
import ctypes
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ANYTHING = "…"
COMMAND_SECONDS = 120  # one command, or the output awaited from one in the background
STOP_SECONDS = 15  # between SIGTERM and SIGKILL at the end of a block; hearth's own budgets are shorter
POLL_SECONDS = 0.05
PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
NOTHING_TO_RUN = 4  # exit status; CTest reports the test as skipped

# The shell's half: commands come in, each ended by NUL; the end of its output is told by a mark.
LOOP = r"""
__status=0
while IFS= read -r -d '' __command <&"$1"; do
  eval "(exit $__status)
$__command" </dev/null {DRIVE}
  __status=$?
  printf '\n%s %d\n' "$2" "$__status"
done
"""


@dataclass
class Command:
    line: int
    text: str
    expected: list = field(default_factory=list)

    @property
    def in_background(self):
        return re.search(r"(?<!&)&\s*$", self.text) is not None

    @property
    def asks_status(self):
        return self.text.startswith("echo $?")


class Mismatch(Exception):
    pass


def blocks_of(document):
    """The console blocks of a document, each a list of commands."""
    blocks, block, fence_line = [], None, 0
    continues = False
    for number, line in enumerate(document.splitlines(), start=1):
        if block is None:
            if re.fullmatch(r"\s*```console\s*", line):
                block, fence_line, continues = [], number, False
                indent = len(line) - len(line.lstrip())
            continue
        line = line[indent:] if line[:indent].isspace() else line
        if line.rstrip() == "```":
            blocks.append(block)
            block = None
        elif line.startswith("$ ") and not continues:
            block.append(Command(number, line[2:]))
            continues = line.endswith("\\")
        elif continues or (block and not block[-1].expected and line.startswith("> ")) or (
            block and not block[-1].expected and line == ">"
        ):
            block[-1].text += "\n" + (line[2:] if line.startswith(">") else line)
            continues = continues and line.endswith("\\")
        elif block:
            block[-1].expected.append(line.rstrip())
        elif line.strip():
            raise Mismatch(f"{number}: a console block begins with a command: $ …")
    if block is not None:
        raise Mismatch(f"{fence_line}: the console block is never closed")
    for block in blocks:
        for command in block:
            while command.expected and not command.expected[-1]:
                command.expected.pop()
    return blocks


def line_matches(expected, actual):
    pattern = ".*".join(re.escape(piece) for piece in expected.split(ANYTHING))
    return re.fullmatch(pattern, actual) is not None


def matches(expected, actual):
    """Does the output, as lines, read as the document says?"""
    # reachable: how many actual lines may have been used up by the expectation so far
    reachable = {0}
    for line in expected:
        if line.strip() == ANYTHING:
            reachable = set(range(min(reachable), len(actual) + 1))
        else:
            reachable = {
                used + 1
                for used in reachable
                if used < len(actual) and line_matches(line, actual[used])
            }
        if not reachable:
            return False
    return len(actual) in reachable


def lines_of(output):
    lines = [line.rstrip() for line in output.decode(errors="replace").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


class Shell:
    """One bash and everything it starts, in a process group of its own."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.background_count = 0
        self.mark = f"--done-{os.getpid()}-{id(self):x}"
        read_end, self.commands = os.pipe()
        loop = LOOP.replace("{DRIVE}", f"{read_end}<&-")
        self.process = subprocess.Popen(
            ["bash", "-c", loop, "bash", str(read_end), self.mark],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[read_end],
            start_new_session=True,
        )
        os.close(read_end)

    def run(self, text):
        """Output and exit status of a command in the foreground."""
        os.write(self.commands, text.encode() + b"\0")
        end = re.compile(rb"\n" + re.escape(self.mark.encode()) + rb" (\d+)\n\Z")
        output = b""
        deadline = time.monotonic() + COMMAND_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not (found := end.search(output)):
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise Mismatch(
                        f"still running after {COMMAND_SECONDS} s, having printed:\n"
                        + shown(lines_of(output))
                    )
                got = os.read(self.process.stdout.fileno(), 65536)
                if not got:
                    raise Mismatch("the shell ended, having printed:\n" + shown(lines_of(output)))
                output += got
        return output[: found.start()], int(found[1])

    def run_in_background(self, text, expected):
        """Starts the command and waits until it has printed what is expected."""
        self.background_count += 1
        log = Path(self.folder) / f".background-{self.background_count}-{id(self):x}"
        self.run("{ " + re.sub(r"&\s*$", "", text) + f"\n}} >'{log}' 2>&1 &")
        deadline = time.monotonic() + COMMAND_SECONDS
        while True:
            actual = lines_of(log.read_bytes()) if log.exists() else []
            if not expected or matches(expected + [ANYTHING], actual):
                return
            if time.monotonic() > deadline:
                raise Mismatch(difference(expected, actual))
            time.sleep(POLL_SECONDS)

    def stop(self):
        """Ends the process group. True if it had to be killed."""
        os.close(self.commands)
        group, killed = self.process.pid, False
        deadline = time.monotonic() + STOP_SECONDS
        signal_group(group, signal.SIGTERM)
        while reap(group) and signal_group(group, 0):
            if time.monotonic() > deadline:
                killed = True
                signal_group(group, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        self.process.wait()
        self.process.stdout.close()
        return killed


def adopt_orphans():
    """From now on what a dead child leaves behind is ours to reap, not the init process's."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap(group):
    """Collects the group's ended processes. False when it has none left that are ours."""
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
        return True
    except ChildProcessError:
        return False


def signal_group(group, number):
    try:
        os.killpg(group, number)
        return True
    except ProcessLookupError:
        return False


def shown(lines):
    return "\n".join("    " + line for line in lines) or "    (nothing)"


def difference(expected, actual):
    return f"the document says:\n{shown(expected)}\nit printed:\n{shown(actual)}"


def run_block(block, folder, environment):
    """None when all went as printed, else a command and what was wrong with it."""
    shell = Shell(folder, environment)
    complaint = None
    for command, following in zip(block, block[1:] + [None]):
        try:
            if command.in_background:
                shell.run_in_background(command.text, command.expected)
                continue
            output, status = shell.run(command.text)
            actual = lines_of(output)
            if status != 0 and not (following and following.asks_status):
                raise Mismatch(f"exit status {status}, having printed:\n{shown(actual)}")
            if not matches(command.expected, actual):
                raise Mismatch(difference(command.expected, actual))
        except Mismatch as mismatch:
            complaint = (command, str(mismatch))
            break
    if shell.stop() and complaint is None:
        complaint = (block[-1], f"something it started ignored SIGTERM for {STOP_SECONDS} s")
    return complaint


def environment_for(folder, source, programs):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "_LAMBDA", "LAMBDA_", "HEARTH_")) or name == "AWS_CA_BUNDLE"
    }
    return kept | {
        "HEARTH_SOURCE": str(source),
        "HOME": str(folder),
        "PWD": str(folder),
        "PATH": os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)]),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "PAGER": "cat",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def furnish(folder, source, build):
    for entry in source.iterdir():
        if not entry.name.startswith(".") and entry.name != "build":
            (folder / entry.name).symlink_to(entry)
    if build is not None:
        (folder / "build").mkdir()
        (folder / "build" / "release").symlink_to(build)


def run_document(document, source, programs, build=None):
    """How many commands ran as printed; raises Mismatch for the first that did not."""
    blocks = blocks_of(document.read_text())
    folder = Path(tempfile.mkdtemp(prefix="hearth-document-"))
    try:
        furnish(folder, source, build)
        environment = environment_for(folder, source, programs)
        for block in blocks:
            if block and (complaint := run_block(block, folder, environment)):
                command, why = complaint
                raise Mismatch(f"{command.line}: $ {command.text}\n{why}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return sum(map(len, blocks))


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--bin", type=Path, action="append", default=[])
    parser.add_argument("--build", type=Path)
    parser.add_argument("documents", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    adopt_orphans()
    count = 0
    for document in options.documents:
        try:
            count += run_document(
                document,
                options.source.resolve(),
                [path.resolve() for path in options.bin],
                options.build and options.build.resolve(),
            )
        except Mismatch as mismatch:
            print(f"{document}:{mismatch}", file=sys.stderr)
            return 1
    if count == 0:
        print("SKIPPED: these documents show no console block")
        return NOTHING_TO_RUN
    print(f"{count} commands ran as printed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
