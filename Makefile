# make demo | build | test | check | results | bare-test | format. docs/CONTRIBUTING.md says what each is for.
SHELL := /bin/bash
cache := $(or $(KEEL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/keel)
# One build at a time on a machine: a heavy file takes more than a gigabyte, and two cores are soon shared.
locked := flock $(cache)/build.lock
configure = . $(cache)/env.build && cmake -S . -B build -G Ninja -DKEEL_TORCH_FOLDER=$$KEEL_TORCH_FOLDER \
  -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
export CCACHE_SLOPPINESS := pch_defines,time_macros
export CCACHE_NOHASHDIR := 1

.PHONY: build test check demo results bare-test format sanitize setup-build setup-test
build: setup-build
	@$(configure) -DKEEL_TESTS=OFF -Wno-dev >/dev/null && $(locked) cmake --build build --target keel

setup-build:
	@tools/setup build
setup-test:
	@tools/setup test

build-tests: setup-test
	@$(configure) -DKEEL_TESTS=ON -Wno-dev >/dev/null && $(locked) cmake --build build

format:
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i
