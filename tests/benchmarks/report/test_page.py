from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import VideoMaker
from result_files import MACHINE, files, latency_result, quality_result, stored

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.report.scatter import Point, pareto_front, scatter_svg
from dehaze.benchmarks.results.file import read_result
from dehaze.benchmarks.results.records import LatencyRow, QualityRow


def report(tmp_path: Path, *arguments: str) -> tuple[str, str]:
    page, text = tmp_path / "report.html", tmp_path / "report.md"
    assert main(["report", *arguments, "--out", str(page), str(text)]) == 0
    return page.read_text(), text.read_text()


def test_page_and_markdown_say_what_the_files_say(tmp_path: Path) -> None:
    for text in report(tmp_path, *files(tmp_path)):
        for words in (
            *("Test CPU", "numpy", "dehaze-bench latency", "dehaze-bench quality"),
            *("fast" * 64, "good" * 64, "d" * 64),  # hashes of models and data
            *("9.50", "28.50", "1.234", "0.2500"),  # p50, PSNR, flicker, a layer
            *("1280\N{MULTIPLICATION SIGN}720, 2 threads", "smoothed", "26.40 dB", "warm-up"),
        ):
            assert words in text, words


def test_the_example_and_the_pages_are_what_their_files_give(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    example = root / "docs" / "benchmark"
    paths = [
        str(path)
        for path in sorted(example.glob("*.json"))
        if path.name != "gpu.json"  # has a page of its own
    ]
    pages = [root / "README.md", root / "docs" / "benchmarks.md"]
    copies = [tmp_path / page.name for page in pages]
    for source, copy in zip(pages, copies, strict=True):
        copy.write_bytes(source.read_bytes())
    page, text = report(tmp_path, *paths, "--into", *map(str, copies))
    scores = read_result(example / "quality.json").rows(QualityRow)
    assert scores[0].model == "edge"
    assert f"<td>{scores[0].means['psnr_db']:.2f}</td>" in page
    assert text == (example / "report.md").read_text()
    for source, copy in zip(pages, copies, strict=True):
        assert copy.read_text() == source.read_text()


def test_scores_are_given_by_level_of_haze(tmp_path: Path) -> None:
    _, text = report(tmp_path, *files(tmp_path))
    assert "| haze | fast | good | worst |" in text
    assert "| level 0 | 20.00 | 28.00 | 15.00 |\n| level 1 | 21.00 | 29.00 | 16.00 |" in text


def test_clear_pictures_and_photographs_have_tables(tmp_path: Path) -> None:
    quality = quality_result({"a": [20.0, 21.0]})
    left: list[dict[str, float | str | None]] = [
        {"name": "1", "psnr_db": 50.0, "auto_psnr_db": None},
        {"name": "2", "psnr_db": None, "auto_psnr_db": None},
        {"name": "3", "psnr_db": 60.0, "auto_psnr_db": None},
    ]
    (row,) = quality.rows(QualityRow)
    row = replace(row, clear_pictures=left, intervals={"psnr_db": [19.0, 22.0]})
    means = {"contrast": 1.5, "noise": None, "crushed": 0.71, "e": 0.5, "r": 1.25, "sigma": 0.0123}
    gains = QualityRow("a", means, [{"name": "x"}])
    pairs = stored(tmp_path / "pairs.json", replace(quality, results=[row]))
    alone = stored(tmp_path / "alone.json", replace(quality, results=[gains]))
    page, text = report(tmp_path, str(pairs), str(alone))
    for words in (
        *(
            "| a | 20.50 | 19.00\N{EN DASH}22.00 | 0.9000 | 2 |",
            "| a | 1.50 | \N{EN DASH} | 0.71 % | +0.500 | 1.250 | 1.23% | 1 |",
        ),
        *("| a | 1 of 3 | 50.00 | 60.00 |", "| a --auto | 3 of 3 | unchanged | unchanged |"),
    ):
        assert words in text
        assert all(f"<td>{cell.strip()}</td>" in page for cell in words.split("|")[2:-1])
    readme = tmp_path / "README.md"
    readme.write_text("<!-- dehaze-bench pairs -->\n<!-- end -->\n")
    assert main(["report", str(pairs), "--into", str(readme)]) == 0
    assert "0.9000 | 1 of 3 | 3 of 3 |" in readme.read_text()


def test_a_readme_is_filled_in_and_else_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "# Mine\n\n<!-- dehaze-bench latency -->\nold\n<!-- end -->\n\nwords\n\n"
        "<!-- dehaze-bench another -->\nleft\n<!-- end -->\n"
    )
    times = {"build/fast.onnx": [5.0, 6.0], "slow.onnx": [120.0, 121.0]}
    small = latency_result(times)
    slow = replace(small.rows(LatencyRow)[1], ratio_to_first=22.0, ratio_interval=[21.0, 23.5])
    large = [
        replace(row, width=1920, height=1080)
        for row in (small.rows(LatencyRow)[0], replace(slow, p50_ms=48.26))
    ]
    result = replace(small, results=[small.rows(LatencyRow)[0], slow, *large])
    path = stored(tmp_path / "latency.json", result)
    ratio = "22.00 (21.00\N{EN DASH}23.50)"
    for _ in range(2):  # the second time over its own table
        assert main(["report", str(path), "--into", str(readme)]) == 0
        assert readme.read_text() == (
            "# Mine\n\n<!-- dehaze-bench latency -->\n"
            "| model | 1280\N{MULTIPLICATION SIGN}720, 2 threads, ms | ratio (95 %) "
            "| 1920\N{MULTIPLICATION SIGN}1080, 2 threads, ms | ratio (95 %) |\n"
            "|---|--:|--:|--:|--:|\n"
            "| fast.onnx | 5.5 | 1.00 | 5.5 | 1.00 |\n"
            f"| slow.onnx | 120 | {ratio} | 48.3 | {ratio} |\n\n"
            "`dehaze-bench latency`, Test CPU, 4 cores, 2026-01-01\n<!-- end -->\n\nwords\n\n"
            "<!-- dehaze-bench another -->\nleft\n<!-- end -->\n"
        )
    readme.write_text("nothing to fill in\n")
    assert main(["report", str(path), "--into", str(readme)]) == 1
    assert "expected a line <!-- dehaze-bench latency -->" in capsys.readouterr().err
    assert main(["report", str(path)]) == 2
    assert "--out, --into or both" in capsys.readouterr().err
    (tmp_path / "b").mkdir()
    again = stored(tmp_path / "b" / "latency.json", result)
    assert main(["report", str(path), str(again), "--into", str(readme)]) == 2
    assert "files of different names" in capsys.readouterr().err


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path, make_video: VideoMaker) -> None:
    page, _ = report(tmp_path, *files(tmp_path), "--pictures", str(make_video()))
    links = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert {link.partition(",")[0] for link in links} == {"data:", "data:image/jpeg;base64"}
    assert "@import" not in page
    assert "http" not in page


def test_names_are_words_and_not_markup(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>|x"
    results = (latency_result({name: [1.0], "b": [2.0]}), quality_result({name: [9.0], "b": [8.0]}))
    paths = [str(stored(tmp_path / f"{r.kind}.json", r)) for r in results]
    page, text = report(tmp_path, *paths, "--title", "a <b> & c")
    assert page.count("<script>") == 1
    assert "a &lt;b&gt; &amp; c" in page
    rows = [line for line in text.splitlines() if line.startswith("|") and "alert" in line]
    assert len(rows) == 5  # plot, latency, quality, the head of its levels, models
    assert all("\\<script" in row and "</script>\\|x |" in row for row in rows)


def test_two_machines_are_both_named(tmp_path: Path) -> None:
    other = replace(MACHINE, processor="Another CPU", gpu="GPU 9", power_mode="MAXN")
    results = (latency_result({"a": [1.0]}), latency_result({"a": [2.0]}, other))
    paths = [str(stored(tmp_path / f"{n}.json", r)) for n, r in enumerate(results)]
    for text in report(tmp_path, *paths):
        for words in ("Test CPU", "Another CPU", "GPU 9", "MAXN"):
            assert words in text


def test_models_that_another_beats_in_both_are_not_on_the_front() -> None:
    points = [Point("a", 10, 28), Point("b", 5, 20), Point("c", 12, 27), Point("d", 5, 21)]
    assert [point.label for point in pareto_front(points)] == ["d", "a"]


@pytest.mark.parametrize("spread", [1.0, 1.001, 2, 5, 30, 500])
def test_every_point_and_label_lies_in_the_plot(spread: float) -> None:
    points = [Point(f"model-{n}", 10 * spread ** (n / 5), 20 + n % 3) for n in range(6)]
    svg = scatter_svg(points)
    width, height = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', svg)[0])
    centres = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)
    labels = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="label">(model-\d)', svg)
    assert len(centres) == len(labels) == 6
    assert all(0 < float(x) < width and 0 < float(y) < height for x, y in centres)
    places = [(float(x), float(y)) for x, y, _ in labels]
    assert all(0 < x < width - 40 and 0 < y < height for x, y in places)
    for index, (x, y) in enumerate(places):
        for other_x, other_y in places[:index]:
            assert abs(x - other_x) > 50 or abs(y - other_y) >= 12  # none on another
    assert len(re.findall(r'class="middle">', svg)) >= 2  # ticks of the axis


RANKING = '{"float32_db": %s, "drop_db": 0, "kept": [], "ranking": [%s]}'


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"ranking": [1]}',
        RANKING % ("1", ""),
        RANKING % ("NaN", '{"layer": "a", "drop_db": 1}'),
    ],
)
def test_a_damaged_ranking_gives_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "a.sensitivity.json"
    path.write_text(text)
    assert main(["report", str(path), "--out", str(tmp_path / "a.html")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "expected a ranking of layers" in error


def test_other_outputs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *files(tmp_path), "--out", str(tmp_path / "a.pdf")]) == 2
    assert "end in .html or .md" in capsys.readouterr().err
    assert main(["report", *files(tmp_path), "--out", str(tmp_path / "a.md"), "--pictures",
                 str(tmp_path / "nothing.mp4")]) == 1  # fmt: skip
    assert capsys.readouterr().err.count("\n") == 1


def test_every_figure_of_a_table_is_explained_once_in_a_sentence(tmp_path: Path) -> None:
    page, _ = report(tmp_path, *files(tmp_path))
    explained = dict(re.findall(r"<div><dt>([^<]+)</dt><dd>([^<]+)</dd></div>", page))
    for name in ("PSNR", "SSIM", "p50", "ratio", "95 %", "fps", "deviation over time"):
        assert explained[name].endswith("."), name
    assert explained["SSIM"].endswith("; higher is better.")
    assert explained["p50"].endswith("; lower is better.")
    (quality,) = re.findall(r'aria-labelledby="result-2">.*?</section>', page, re.DOTALL)
    assert quality.count("<dt>SSIM</dt>") == 1
    photographs = Path(__file__).parents[3] / "docs" / "benchmark" / "photographs.json"
    page, _ = report(tmp_path, str(photographs))
    heads = re.findall(r'<th scope="col">([^<]+)</th>', page)
    names = {head.partition(",")[0] for head in heads} - {"model", "pictures"}
    assert names <= {*re.findall(r"<dt>([^<]+)</dt>", page)}
    assert {"contrast", "crushed", "saturated"} <= names
