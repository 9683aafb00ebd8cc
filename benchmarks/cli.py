"""dehaze-bench: how fast and how good."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from dehaze.runtime.command import positive_int, run_command


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got {text}") from error
    return width, height


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-bench", description="Measure how fast and how good models are."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    latency = commands.add_parser("latency", help="milliseconds per frame, models interleaved")
    latency.add_argument("models", nargs="+", metavar="MODEL", help="shipped names or .onnx files")
    latency.add_argument("--size", type=_size, default=(1280, 720), help="(default: 1280x720)")
    latency.add_argument(
        "--runs", type=positive_int, default=20, help="per model (default: %(default)s)"
    )
    latency.add_argument(
        "--stages",
        action="store_true",
        help="of one model on the CPU: what a frame's time consists of",
    )
    quality = commands.add_parser("quality", help="PSNR and SSIM; contrast gained on photographs")
    quality.add_argument(
        "models",
        nargs="+",
        metavar="METHOD",
        help="shipped names, .onnx and .engine files, dcp, clahe, none, or a model from elsewhere "
        "with its pixels: other.onnx@input=0..1,multiple=16",
    )
    quality.add_argument(
        "--data",
        type=Path,
        required=True,
        help="SOTS, O-HAZE, I-HAZE, NH-HAZE, Dense-Haze or Haze4K as unpacked, or photographs",
    )
    quality.add_argument("--levels", action="store_true", help="a line for each haze level, too")
    quality.add_argument(
        "--do-no-harm",
        action="store_true",
        help="dehaze the clear pictures, too: what is left of them, without and with --auto",
    )
    flicker = commands.add_parser("flicker", help="how steady a dehazed video is")
    flicker.add_argument("model", metavar="MODEL", help="a shipped name or an .onnx file")
    flicker.add_argument("--hazy", type=Path, required=True, help="a video")
    flicker.add_argument("--clear", type=Path, required=True, help="its clear original")
    flicker.add_argument("--every", type=positive_int, default=1, help="as of dehaze-run")
    for command in (latency, quality, flicker):
        command.add_argument(
            "--threads", type=positive_int, help="CPU threads (default: all cores)"
        )
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    run = {"latency": _latency, "quality": _quality, "flicker": _flicker}[options.command]
    return run_command("dehaze-bench", lambda: run(options), "nothing was reported")


def _latency(options: argparse.Namespace) -> None:
    from .latency import measure_latency

    width, height = options.size
    if options.stages:
        _stages(options, width, height)
        return
    results = measure_latency(options.models, width, height, options.threads, options.runs)
    first = results[0].percentile(50)
    rows = [
        {
            "model": r.model,
            "size": f"{width}x{height}",
            **{f"p{share}_ms": round(r.percentile(share), 2) for share in (50, 90, 95, 99)},
            "ratio_to_first": round(r.percentile(50) / first, 2),
        }
        for r in results
    ]
    if options.json:
        print(json.dumps({"threads": options.threads, "runs": options.runs, "latency": rows}))
        return
    print(f"{'model':32} {'size':>10} {'p50 ms':>9} {'p95 ms':>9} {'ratio':>7}")
    for row in rows:
        print(
            f"{row['model']:32} {row['size']:>10} {row['p50_ms']:9.2f} {row['p95_ms']:9.2f} "
            f"{row['ratio_to_first']:7.2f}"
        )


def _stages(options: argparse.Namespace, width: int, height: int) -> None:
    from dehaze.runtime.errors import UsageError

    from .latency import measure_stages

    if len(options.models) != 1:
        raise UsageError(f"--stages expects one model, got {len(options.models)}")
    stages = measure_stages(options.models[0], width, height, options.threads, options.runs)
    medians = {name: stage.percentile(50) for name, stage in stages.items()}
    steps = sum(medians[name] for name in ("thumbnail", "estimate", "apply"))
    medians["around the steps"] = medians["call"] - steps
    if options.json:
        report = {name: round(milliseconds, 3) for name, milliseconds in medians.items()}
        print(json.dumps({"size": f"{width}x{height}", "runs": options.runs, "p50_ms": report}))
        return
    print(f"{options.models[0]} at {width}x{height}, p50 of {options.runs} runs in ms")
    for name, milliseconds in medians.items():
        share = milliseconds / medians["call"]
        print(f"{name:17} {milliseconds:8.2f} {share:7.1%} of the call")


def _quality(options: argparse.Namespace) -> None:
    from .quality_command import quality_record_of

    say: Callable[[str], None] = (lambda _: None) if options.json else print
    record = quality_record_of(
        options.models,
        options.data,
        options.threads,
        do_no_harm=options.do_no_harm,
        levels=options.levels,
        say=say,
    )
    if options.json:
        print(json.dumps(record))


def _flicker(options: argparse.Namespace) -> None:
    from dehaze.runtime.stream import StreamOptions

    from .flicker import measure_flicker

    ways = {
        "frame by frame": StreamOptions(temporal=False),
        "smoothed": StreamOptions(every=options.every),
    }
    results = {
        name: measure_flicker(options.model, options.hazy, options.clear, way, options.threads)
        for name, way in ways.items()
    }
    if options.json:
        print(json.dumps({name: asdict(result) for name, result in results.items()}))
        return
    alone, smooth = results.values()
    for name, result in results.items():
        print(
            f"{name:15} PSNR {result.psnr_db:.2f} dB; error: deviation over time "
            f"{result.error_deviation:.2f}, change from frame to frame {result.error_change:.3f}"
        )
    print(
        f"smoothed is {smooth.error_deviation / alone.error_deviation:.2f} and "
        f"{smooth.error_change / alone.error_change:.2f} times that, "
        f"{smooth.psnr_db - alone.psnr_db:+.2f} dB"
    )
