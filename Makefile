# make            set up .venv and run the headline experiment (adding problem, LSTM, seed 0); its
#                 record goes into my_results.json, which git does not follow
# make test       set up and run the tests
# make plots      redraw every picture and animation from results.json
# make explorer   write explorer.html anew from results.json; prints its path
# make gradcheck  every weight of every cell of every experiment
# make reproduce  every study that fits in an hour on two cores; what is done is skipped
# make bench      side by side with torch and JAX (installs both)
# make lint       style

PYTHON ?= python3
export OMP_NUM_THREADS = 1
RUN = .venv/bin/python

headline: .venv/run
	$(RUN) adding_problem.py --out my_results.json

.venv/run: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(RUN) -m pip install --quiet --requirement requirements-dev.txt
	touch $@

.venv/bench: .venv/dev requirements-bench.txt
	$(RUN) -m pip install --quiet --requirement requirements-bench.txt
	touch $@

test: .venv/dev
	$(RUN) -m pytest -n 2 --dist loadgroup

plots: .venv/run
	$(RUN) visualize_adding_problem.py
	$(RUN) visualize_adding_studies.py
	$(RUN) visualize_information_latching.py
	$(RUN) make_adding_problem_gif.py
	$(RUN) visualize_rnn_pathological.py
	$(RUN) make_rnn_pathological_gif.py
	$(RUN) visualize_data_movement.py
	$(RUN) visualize_lstm_1997.py
	$(RUN) visualize_lstm_1997_rivals.py

explorer: .venv/run
	$(RUN) make_explorer.py

gradcheck: .venv/run
	$(RUN) adding_problem.py --gradcheck
	$(RUN) information_latching.py --gradcheck
	$(RUN) rnn_pathological.py --gradcheck
	$(RUN) lstm_1997.py --gradcheck
	$(RUN) constant_sources.py --gradcheck
	$(RUN) lstm_1997_rivals.py --gradcheck
	$(RUN) cascade_correlation.py --gradcheck
	$(RUN) data_movement.py --gradcheck

reproduce: .venv/run
	$(RUN) reproduce.py all --jobs 2 --within 60

bench: .venv/bench
	$(RUN) benchmarks/bench_adding_problem.py
	$(RUN) benchmarks/bench_information_latching.py
	$(RUN) benchmarks/bench_rnn_pathological.py
	$(RUN) benchmarks/bench_lstm_1997.py
	$(RUN) benchmarks/bench_lstm_1997_rivals.py

lint: .venv/dev
	.venv/bin/ruff check .

.PHONY: headline test plots explorer gradcheck reproduce bench lint
