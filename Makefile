# A door to the presets and scripts; it holds no logic of its own.
.PHONY: demo test test-vm check soak bench tidy format fuzz clean help
.DEFAULT_GOAL := help

ifneq ($(shell command -v ccache),)
export CMAKE_CXX_COMPILER_LAUNCHER ?= ccache
export CCACHE_SLOPPINESS ?= pch_defines,time_macros,include_file_mtime,include_file_ctime
endif

demo:  ## build Hearth and show what it does
	@cmake/install-dependencies
	@cmake --preset release
	@cmake --build --preset release --target hearth handlers
	@docs/demo

test:  ## the whole suite: format, all rings, address and thread sanitizers
	@cmake/install-dependencies || { echo "0 passed, 1 failed"; exit 1; }
	@tests/run

test-vm:  ## the isolation ring in a virtual machine whose control groups are of version 2 alone
	@cmake/install-dependencies vm
	@tests/run vm

check:  ## the suite, then clang-tidy, the fuzzers and the optimised build's tests
	@cmake/install-dependencies
	@tests/run format dev asan tsan release tidy fuzz

soak:  ## 10,000 sandboxes ended in every way, ten minutes under load and faults, 200 kills
	@cmake/install-dependencies
	@cmake --preset release
	@cmake --build --preset release --target hearth handlers isolation_tests end_to_end_tests
	HEARTH_LEAK_ROUNDS=10000 build/release/bin/isolation_tests "[leaks]"
	HEARTH_SOAK_SECONDS=600 build/release/bin/end_to_end_tests "[soak]"
	HEARTH_KILL_ROUNDS=200 ctest --preset release -R "a server that is killed under load"  # with the clients it needs

bench:  ## the benchmarks, optimised
	@cmake/install-dependencies bench
	@cmake --preset release
	@cmake --build --preset release
	@for program in build/release/bin/*_bench; do "$$program" || exit 1; done
	@tests/bench/languages build/release docs/languages.svg

tidy fuzz:  ## clang-tidy over every source of ours; each fuzzer for a minute
	@cmake/install-dependencies
	@tests/run $@

format:  ## is every source formatted?
	@tests/run format

clean:  ## remove what was built; .deps and .venv stay
	rm -rf build

help:  ## this list
	@sed -n 's/^\([a-z -]*\):  ## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
