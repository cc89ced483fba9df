# Every target is one program that ends with its make: see local/bootstrap.py.

PARLEY_PYTHON ?= python3
PYTHON ?= $(PARLEY_PYTHON)

.PHONY: help demo test check bench fuzz chaos screenshots reset clean

help:
	@printf '%s\n' \
	  'make demo    start Parley here, with its own PostgreSQL, Valkey and language model' \
	  '             PORT=8000 WORKERS=2 choose the address and the number of web processes' \
	  'make test    the whole test suite on throwaway servers; ARGS="-k chat -n 0" for pytest' \
	  'make check   lint, types, import contracts, migrations, deployment settings' \
	  'make bench   the benchmarks beside LiteLLM and the floor; ARGS="--quick", ARGS=litellm' \
	  'make fuzz    the API fuzzed by its document, for long; SECONDS=600 EXAMPLES=50' \
	  'make chaos   servers broken under load by seeded schedules; SECONDS=600 SEED=1' \
  'make screenshots   a picture of each page in docs/screenshots/; needs Chromium' \
	  'make reset   remove the data of the demo' \
	  'make clean   remove the virtual environment and caches' \
	  '' \
	  'PYTHON=/path/to/python3 chooses the Python (3.11 or newer) that .venv is made with.'

demo:
	@exec "$(PYTHON)" local/bootstrap.py demo

test:
	@exec "$(PYTHON)" local/bootstrap.py test $(ARGS)

check:
	@exec "$(PYTHON)" local/bootstrap.py check

bench:
	@exec "$(PYTHON)" local/bootstrap.py run --durable -- python -m bench $(ARGS)

fuzz:
	@FUZZ_SECONDS="$(or $(SECONDS),600)" FUZZ_EXAMPLES="$(or $(EXAMPLES),50)" \
	  exec "$(PYTHON)" local/bootstrap.py test tests/e2e/clients/test_document_fuzz.py -n 0 -s $(ARGS)

chaos:
	@exec "$(PYTHON)" local/bootstrap.py run -- python -m tests.chaos --seconds "$(or $(SECONDS),600)" \
	  --seed "$(or $(SEED),1)" $(ARGS)

screenshots:
	@exec "$(PYTHON)" local/bootstrap.py run -- python -m tests.browser.screenshots $(ARGS)

reset:
	@exec "$(PYTHON)" local/bootstrap.py reset

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
