# make demo | build | test | check | gpu | sanitize | results | bench | bare-test | format | docs. docs/CONTRIBUTING.md tells more.
SHELL := /bin/bash
cache := $(or $(KEEL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/keel)
# One build at a time on a machine: a heavy file takes more than a gigabyte, and two cores are soon shared.
locked := mkdir -p $(cache) && flock $(cache)/build.lock
configure = . $(cache)/env.build && cmake -B $(1) -S . -G Ninja -DKEEL_TORCH_FOLDER=$$KEEL_TORCH_FOLDER \
  -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -Wno-dev $(2) >/dev/null
export CCACHE_SLOPPINESS := pch_defines,time_macros
export CCACHE_NOHASHDIR := 1
export CCACHE_BASEDIR := $(CURDIR)

.PHONY: build gpu tests-built sanitize test check demo results bench bare-test format docs setup-build setup-test
build: setup-build
	@$(call configure,build,) && $(locked) ninja -C build keel keel-label

demo: build
	@build/keel run recipes/demo.yaml
	@echo
	@echo "report:        runs/demo/report.html"
	@echo "model:         runs/demo/ppo/final"
	@echo "your turn:     build/keel label --store runs/demo/feedback.db"

setup-build:
	@tools/setup build
setup-test:
	@tools/setup test

tests-built: setup-test
	@$(call configure,build,-DKEEL_TESTS=ON) && $(locked) ninja -C build
sanitize: setup-test
	@$(call configure,build-sanitize,-DKEEL_TESTS=ON -DKEEL_PLAIN_ONLY=ON -DKEEL_SANITIZE=ON) && $(locked) ninja -C build-sanitize

test: tests-built sanitize
	@. $(cache)/env.test && $$KEEL_PYTHON tools/run_tests
check: tests-built
	@. $(cache)/env.test && $$KEEL_PYTHON tools/run_tests --quick

# On a machine with a GPU and CUDA's toolkit; KEEL_TORCH names a torch for CUDA.
gpu: setup-test
	@$(call configure,build-cuda,-DKEEL_TESTS=ON -DKEEL_CUDA=ON) && $(locked) ninja -C build-cuda
	@. $(cache)/env.test && KEEL_BUILD=build-cuda KEEL_BINARY=build-cuda/keel $$KEEL_PYTHON tools/run_tests gpu

format:
	@git ls-files -co --exclude-standard '*.h' '*.cpp' | xargs clang-format -i
docs: build
	@build/keel docs

results: build
	@tools/setup results
	@. $(cache)/env.results && export PYTHONPATH=tools/results && \
	  $$KEEL_PYTHON tools/results/experiment.py --data "$${KEEL_TEST_DATA:-../shared/data}" && \
	  $$KEEL_PYTHON tools/results/analyse.py

bench: build
	@tools/setup bench
	@. $(cache)/env.bench && $$KEEL_PYTHON bench/run.py $(BENCH) && $$KEEL_PYTHON bench/scaling.py $(BENCH) && \
	  $$KEEL_PYTHON bench/precision.py $(BENCH)

bare-test:
	@tools/bare_test
