"""The tests of run_documents.py: documents that hold, and documents that must be found out."""

import contextlib
import io
import os
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import run_documents


class RunDocuments(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.source = self.folder / "source"
        (self.source / "samples").mkdir(parents=True)
        (self.source / "samples" / "event.json").write_text('{"n": 1}\n')

    def run_document(self, *blocks):
        """Exit status and error output for a document of the given console blocks."""
        document = self.folder / "document.md"
        document.write_text("".join(f"Text.\n\n```console\n{block}\n```\n" for block in blocks))
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            status = run_documents.main(["--source", str(self.source), str(document)])
        return status, errors.getvalue()

    def assert_holds(self, *blocks):
        status, errors = self.run_document(*blocks)
        self.assertEqual((status, errors), (0, ""))

    def assert_found_out(self, block, *complaints):
        status, errors = self.run_document(block)
        self.assertEqual(status, 1)
        for complaint in complaints:
            self.assertIn(complaint, errors)

    def test_output_as_printed_holds(self):
        self.assert_holds("$ printf 'one\\ntwo\\n'\none\ntwo")

    def test_other_output_is_found_out_with_both_shown(self):
        self.assert_found_out("$ echo one\ntwo", "document.md:4: $ echo one", "    two", "    one")

    def test_missing_output_is_found_out(self):
        self.assert_found_out("$ true\nsomething", "(nothing)")

    def test_output_the_document_keeps_quiet_about_is_found_out(self):
        self.assert_found_out("$ echo something", "something")
        self.assert_found_out("$ echo something >&2", "something")

    def test_an_ellipsis_stands_for_part_of_a_line(self):
        self.assert_holds("$ echo id 123 took 4 ms\nid … took … ms")
        self.assert_found_out("$ echo id 123 took 4 s\nid … took … ms", "4 s")

    def test_an_ellipsis_alone_stands_for_any_number_of_lines(self):
        self.assert_holds("$ seq 5\n1\n…\n5", "$ seq 2\n1\n…\n2", "$ true\n…")
        self.assert_found_out("$ seq 5\n1\n…\n4", "    5")

    def test_text_is_no_pattern(self):
        self.assert_holds("$ echo 'a.c (1)'\na.c (1)")
        self.assert_found_out("$ echo abc\na.c")

    def test_a_failing_command_is_found_out(self):
        self.assert_found_out("$ false", "exit status 1")

    def test_a_failure_the_document_speaks_of_holds(self):
        self.assert_holds("$ (exit 3)\n$ echo $?\n3")
        self.assert_found_out("$ (exit 3)\n$ echo $?\n4", "    3")

    def test_commands_of_a_block_share_a_shell_and_blocks_a_folder(self):
        self.assert_holds("$ mkdir new && cd new\n$ export A=1\n$ echo $A ${PWD##*/}\n1 new", "$ ls -d new\nnew")

    def test_commands_continue_over_lines(self):
        self.assert_holds(
            "$ echo one \\\n    two\none two",
            "$ cat > file <<'END'\n> a\n>\n> b\n> END\n$ cat file\na\n\nb",
        )

    def test_files_of_the_source_are_there_and_nothing_is_written_beside_them(self):
        self.assert_holds('$ cat samples/event.json\n{"n": 1}', "$ echo new > written")
        self.assertEqual([entry.name for entry in self.source.iterdir()], ["samples"])

    def test_a_command_does_not_read_the_commands_after_it(self):
        self.assert_holds("$ cat\n$ echo next\nnext")

    def test_a_program_in_the_background_is_awaited_and_stopped(self):
        pid_file = self.folder / "pid"
        self.assert_holds(
            f"$ bash -c 'echo $$ > {pid_file}; echo ready; sleep 1000' &\nready\n$ echo on\non"
        )
        with self.assertRaises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)

    def test_a_program_in_the_background_that_says_something_else_is_found_out(self):
        with unittest.mock.patch.object(run_documents, "COMMAND_SECONDS", 0.2):
            self.assert_found_out("$ bash -c 'echo broken; sleep 1000' &\nready", "broken")

    def test_a_command_that_never_ends_is_found_out(self):
        with unittest.mock.patch.object(run_documents, "COMMAND_SECONDS", 0.2):
            self.assert_found_out("$ sleep 1000", "still running")

    def test_a_program_that_ignores_the_request_to_stop_is_killed_and_found_out(self):
        with unittest.mock.patch.object(run_documents, "STOP_SECONDS", 0.2):
            self.assert_found_out(
                "$ (trap '' TERM; echo ready; while true; do sleep 1000; done) &\nready",
                "ignored SIGTERM",
            )

    def test_a_block_that_is_never_closed_is_found_out(self):
        document = self.folder / "open.md"
        document.write_text("```console\n$ true\n")
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            status = run_documents.main(["--source", str(self.source), str(document)])
        self.assertEqual(status, 1)
        self.assertIn("never closed", errors.getvalue())

    def test_a_document_without_commands_is_reported_as_skipped(self):
        self.assertEqual(self.run_document()[0], run_documents.NOTHING_TO_RUN)


if __name__ == "__main__":
    unittest.main()
