# Two commands do everything: `make demo` and `make test`. Python 3.10 or newer is all they need.
PYTHON ?= python3
# Two files of tests at a time: 6.5 minutes on two cores instead of 10.
PARALLEL = --numprocesses 2 --dist loadfile
.DELETE_ON_ERROR:
.PHONY: demo test check types clip web plugin latency-table quality-table video-table report gpu-check gpu-bundle clean

# $(call environment,FOLDER,WHAT): a fresh virtual environment with pinned versions.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
	  "expected Python 3.10 or newer, got %d.%d; run make PYTHON=python3.12" % sys.version_info[:2] or 0)'
	rm -rf $(1) build/lib  # setuptools would pack what an older build left there
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(2)
	touch $@
endef

.venv-demo/installed: setup.cfg constraints.txt $(filter-out %.pyc,$(wildcard $(addsuffix .*,runtime/* runtime/*/* runtime/*/*/*)))
	$(call environment,.venv-demo,.)

.venv/installed: setup.cfg constraints.txt
	$(call environment,.venv,-e '.[dev]')

demo: .venv-demo/installed  ## dehaze the shipped clip and say how well and how fast
	.venv-demo/bin/python demo/run_demo.py

test: .venv/installed  ## the whole suite
	.venv/bin/python -m pytest $(PARALLEL)

check: .venv/installed types  ## what a change must pass: style, types, tests
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	MYPYPATH=demo .venv/bin/mypy --config-file pyproject.toml $(wildcard demo/*.py demo/web/*.py)
	.venv/bin/python -m pytest $(PARALLEL)

types:  # mypy sees the namespace package through links
	@mkdir -p build/typing/dehaze
	@for name in train export runtime benchmarks; do \
	  ln -sfn ../../../$$name build/typing/dehaze/$$name; done

clip: .venv/installed  ## render the demo clip again: four minutes
	.venv/bin/python demo/make_clip.py

web: .venv-demo/installed build/npm/installed  ## the page that dehazes in the browser, into build/web
	.venv-demo/bin/python demo/web/build_page.py build/web --packages build/npm/node_modules

build/npm/installed: demo/web/package.json demo/web/package-lock.json demo/web/.npmrc
	@command -v npm > /dev/null || { echo "make web needs npm, which comes with Node.js" >&2; exit 1; }
	rm -rf build/npm && mkdir -p build/npm && cp $^ build/npm
	cd build/npm && npm ci --silent
	touch $@

# The README's tables, measured on this machine; timings want it quiet. DATA is a folder with
# sots-indoor/, nyu/ and others, see docs/data.md.
DATA = data
BENCH = .venv/bin/dehaze-bench
MODELS = build/models
RESULTS = docs/benchmark
NETWORKS = $(patsubst %,$(MODELS)/%.onnx,rfd-student aecr-net ffa-net)

$(MODELS)/edge-fp16.onnx: .venv/installed $(wildcard runtime/weights/edge.onnx)
	.venv/bin/dehaze-export --fp16 --out $(MODELS)

$(MODELS)/edge-int8.onnx: .venv/installed $(wildcard runtime/weights/edge.onnx)
	.venv/bin/dehaze-export --int8 --data $(DATA) --out $(MODELS)
	cp $(MODELS)/edge-int8.sensitivity.json $(RESULTS)

$(NETWORKS): $(MODELS)/%.onnx: .venv/installed
	.venv/bin/dehaze-export $* --random-weights --out $(MODELS)

# Forms without the plugin, which TensorRT-RTX takes; made here or brought along.
GPU_MODELS = $(patsubst %,$(MODELS)/edge%-tensorrt-gridsample.onnx,-fp16 -int8) \
  $(MODELS)/edge-tensorrt-gridsample.onnx

$(MODELS)/edge-tensorrt-gridsample.onnx: .venv/installed
	.venv/bin/dehaze-export --target tensorrt --deform gridsample --out $(MODELS)

$(MODELS)/edge-fp16-tensorrt-gridsample.onnx: .venv/installed
	.venv/bin/dehaze-export --fp16 --target tensorrt --deform gridsample --out $(MODELS)

$(MODELS)/edge-int8-tensorrt-gridsample.onnx: .venv/installed
	.venv/bin/dehaze-export --int8 --target tensorrt --deform gridsample --data $(DATA) --out $(MODELS)

latency-table: $(MODELS)/edge-fp16.onnx $(MODELS)/edge-int8.onnx $(NETWORKS)  ## speeds: 8 minutes
	$(BENCH) latency edge $(MODELS)/edge-fp16.onnx $(MODELS)/edge-int8.onnx clahe dcp \
	  --sizes 1280x720 1920x1080 --threads 2 --json $(RESULTS)/latency.json
	$(BENCH) latency edge $(NETWORKS) --sizes 640x480 --threads 2 \
	  --json $(RESULTS)/networks.json
	$(MAKE) report

quality-table: $(MODELS)/edge-fp16.onnx $(MODELS)/edge-int8.onnx  ## scores: 5 minutes
	$(BENCH) quality edge $(MODELS)/edge-fp16.onnx $(MODELS)/edge-int8.onnx dcp clahe none \
	  --data $(DATA)/sots-indoor --do-no-harm --json $(RESULTS)/quality.json
	$(BENCH) quality edge dcp clahe --data $(DATA)/real-hazy --json $(RESULTS)/photographs.json
	$(MAKE) report

video-table: .venv/installed  ## what videos cost beside transcoding: 5 minutes
	$(BENCH) video demo/street-hazy.mp4 --sizes 640x480 1280x720 1920x1080 \
	  --json $(RESULTS)/video.json
	$(MAKE) report

report: .venv/installed  ## the page, and the README's tables, from what was measured last
	$(BENCH) report $(filter-out $(RESULTS)/gpu.json,$(wildcard $(RESULTS)/*.json)) --pictures demo/street-hazy.mp4 \
	  --out $(RESULTS)/report.html $(RESULTS)/report.md --into README.md docs/benchmarks.md

gpu-bundle: .venv/installed  ## what train/bare_machine.py needs on a GPU machine without a network
	mkdir -p build/gpu
	.venv/bin/dehaze-train edge --data $(DATA) --pack build/gpu/thumbnails.npz
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps \
	  --target build/gpu/packages safetensors filelock tqdm torchmetrics lightning-utilities packaging

gpu-check: $(GPU_MODELS)  ## what needs an NVIDIA GPU: checks, and fills docs/benchmark/gpu.*
	.venv/bin/python -m dehaze.benchmarks.gpu_check $(GPU_MODELS) --json $(RESULTS)/gpu.json

plugin:  ## the TensorRT plugin: needs nvcc, CMake and TensorRT's headers
	cmake -S export/plugin -B build/plugin \
	  $(if $(TENSORRT_INCLUDE_DIR),-DTENSORRT_INCLUDE_DIR=$(TENSORRT_INCLUDE_DIR))
	cmake --build build/plugin

clean:
	rm -rf .venv .venv-demo build demo/result *.egg-info
