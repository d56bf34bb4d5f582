#!/usr/bin/env python3
"""Records a second of the Firehose access-log transformation in six languages, over one log that Apache
wrote, each function at 128 MB and the share of a CPU that Lambda gives for it. Beside them the figures
once published for three of them on Lambda. Nothing is asserted: other loads of the machine slow all of
them, so only the ratios mean something.

languages_bench.py --hearth PROGRAM --handlers BUILT [--picture FILE.svg] [--host TEXT] [--records N]
"""

import argparse
import datetime
import http.client
import json
import math
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile

LANGUAGES = ("cpp", "rust", "go", "java", "node", "python")
NAMES = {"cpp": "C++", "rust": "Rust", "go": "Go", "java": "Java", "node": "Node.js", "python": "Python"}
PUBLISHED = {"python": 142.8, "rust": 2384.6, "go": 3910.4}  # on Lambda at 128 MB
MEASURED_SECONDS = 8  # of each language, about
FEWEST, MOST = 3, 200  # warm invocations of each
REPORT = re.compile(r"^REPORT .*\tDuration: ([0-9.]+) ms\t(?:(?!Init Duration).)*$", re.MULTILINE)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15",
    "curl/8.5.0",
    'says "quoted" and \\ more',
)


class Apache:
    """Debian's, on a loopback port, as long as the log takes."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "www").mkdir()
        for name in ("index.html", "search", "health"):
            (folder / "www" / name).write_text(f"{name}\n")
        folder.chmod(0o755)
        for attempt in range(20):  # Apache cannot say which port it was given
            self.port = 20000 + (os.getpid() * 7 + attempt) % 10000
            self.program = self.start()
            if any("resuming normal operations" in line for line in self.program.stderr):
                return
            self.program.wait()
        sys.exit("languages_bench: Apache does not start; is the package apache2-bin installed?")

    def start(self):
        modules = "/usr/lib/apache2/modules"
        user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        configuration = self.folder / "apache.conf"
        configuration.write_text(
            f"ServerName localhost\nServerRoot {self.folder}\nDefaultRuntimeDir {self.folder}\n"
            f"PidFile {self.folder}/apache.pid\nErrorLog /dev/stderr\nMutex posixsem\n"
            f"LoadModule mpm_event_module {modules}/mod_mpm_event.so\n"
            f"LoadModule authz_core_module {modules}/mod_authz_core.so\n"
            f"Listen 127.0.0.1:{self.port}\nDocumentRoot {self.folder}/www\n{user}"
            'LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined\n'
            f"CustomLog {self.folder}/access.log combined\n"
        )
        return subprocess.Popen(
            ["/usr/sbin/apache2", "-D", "FOREGROUND", "-d", self.folder, "-f", configuration],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )

    def request(self, path, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", path, headers=headers)
        connection.getresponse().read()
        connection.close()

    def log(self):
        """Ends Apache, whose log is whole then."""
        self.program.send_signal(signal.SIGTERM)
        self.program.wait()
        return self.folder / "access.log"


def real_log(folder, records):
    apache = Apache(folder)
    for number in range(records):
        path = ("/index.html", f"/search?q={number}", f"/missing/{number}", "/health")[number % 4]
        headers = {"User-Agent": AGENTS[number % len(AGENTS)]}
        if number % 3 == 0:
            headers["Referer"] = f"http://shop.example/page/{number}"
        apache.request(path, headers)
    return apache.log()


def durations(hearth, template, event, count):
    """Of warm invocations, in seconds, as their REPORT lines say."""
    ended = subprocess.run(
        [hearth, "invoke", "--template", template, "--event", event, "--count", str(count + 1)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )
    if ended.returncode != 0:
        sys.exit(f"languages_bench: {template} failed:\n{ended.stderr[-2000:]}")
    return [float(duration) / 1000 for duration in REPORT.findall(ended.stderr)]


def records_per_second(hearth, template, event, records):
    first = durations(hearth, template, event, FEWEST)
    count = int(MEASURED_SECONDS / (sum(first) / len(first)))
    measured = durations(hearth, template, event, min(max(count, FEWEST), MOST))
    return records * len(measured) / sum(measured)


def template_of(language, built, sources):
    project = built / f"firehose-{language}"
    if (project / "missing").exists():
        return None
    project = project if project.exists() else sources / f"firehose-{language}"
    return project / "template.yaml"


def picture(figures, date, host):
    """An SVG with a bar for each language and a mark for what was published, on a logarithmic scale."""
    left, width, row, top = 90, 520, 34, 64
    least, most = 100, 100000
    ordered = sorted(figures.items(), key=lambda item: -item[1])
    height = top + row * len(ordered) + 58

    def x(value):
        decades = math.log10(most / least)
        return left + width * max(0.0, min(1.0, math.log10(value / least) / decades))

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {height}"'
        ' font-family="sans-serif" font-size="13" role="img">',
        "<title>Records a second of one transformation in six languages at 128 MB</title>",
        f'<rect width="{left + width + 80}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="16" fill="#222222">Firehose access-log transformation at 128 MB,'
        " records a second</text>",
        f'<text x="16" y="46" fill="#666666">Hearth, {date}, {host}; diamonds: published for'
        " Lambda</text>",
    ]
    bottom = top + row * len(ordered)
    for tick in (100, 1000, 10000, 100000):
        lines.append(f'<line x1="{x(tick):.0f}" y1="{top}" x2="{x(tick):.0f}" y2="{bottom}" stroke="#dddddd"/>')
        lines.append(
            f'<text x="{x(tick):.0f}" y="{bottom + 18}" text-anchor="middle" fill="#666666">{tick:,}</text>'
        )
    for place, (language, figure) in enumerate(ordered):
        y = top + place * row
        lines.append(f'<text x="{left - 10}" y="{y + 21}" text-anchor="end" fill="#222222">{NAMES[language]}</text>')
        lines.append(f'<rect x="{left}" y="{y + 6}" width="{x(figure) - left:.0f}" height="22" fill="#d9622b"/>')
        lines.append(f'<text x="{x(figure) + 14:.0f}" y="{y + 21}" fill="#222222">{figure:,.0f}</text>')
        if language in PUBLISHED:
            at = x(PUBLISHED[language])
            lines.append(
                f'<path d="M{at:.0f} {y + 9} l8 8 l-8 8 l-8 -8 z" fill="#1f4e79" stroke="#ffffff">'
                f"<title>Lambda: {PUBLISHED[language]:,} records/s</title></path>"
            )
    lines.append(
        f'<text x="16" y="{height - 10}" fill="#666666">Published for Lambda: '
        + ", ".join(f"{NAMES[name]} {figure:,}" for name, figure in PUBLISHED.items())
        + ". Logarithmic scale.</text>"
    )
    return "\n".join(lines + ["</svg>", ""])


def machine():
    return f"{os.cpu_count()} CPUs, {platform.machine()}"


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--hearth", required=True)
    options.add_argument("--handlers", required=True, type=pathlib.Path)
    options.add_argument("--picture", type=pathlib.Path)
    options.add_argument("--host", default=machine(), help="how the picture calls this machine")
    options.add_argument("--records", type=int, default=500)
    chosen = options.parse_args()
    sources = pathlib.Path(__file__).resolve().parents[2] / "handlers"
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as name:
        folder = pathlib.Path(name)
        log = real_log(folder, chosen.records)
        event = folder / "event.json"
        with open(event, "wb") as output:
            subprocess.run(
                [chosen.hearth, "generate-event", "firehose", "direct-put", "--from", log],
                stdout=output, stderr=subprocess.DEVNULL, check=True,
            )
        records = len(json.loads(event.read_text())["records"])
        print(f"{records} records of one access log, 128 MB, {chosen.host}")
        print(f"{'':10}{'records/s':>12}{'on Lambda':>12}")
        figures = {}
        for language in LANGUAGES:
            template = template_of(language, chosen.handlers, sources)
            if template is None:
                print(f"{NAMES[language]:10}{'not built: its tools are missing':>36}")
                continue
            figures[language] = records_per_second(chosen.hearth, template, event, records)
            published = f"{PUBLISHED[language]:,.1f}" if language in PUBLISHED else "–"
            print(f"{NAMES[language]:10}{figures[language]:>12,.1f}{published:>12}", flush=True)
    if chosen.picture:
        chosen.picture.write_text(picture(figures, datetime.date.today().isoformat(), chosen.host))


if __name__ == "__main__":
    main()
